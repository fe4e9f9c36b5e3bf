"""The processes of the worker's pool: how many are free, and which request gets the next one.

``processes`` counts them; ``request_order`` and ``unlimited_requests`` say which request is first. May use ``waiting``
and what is below.
"""
