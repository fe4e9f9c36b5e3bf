"""The worker's pool, as far as its processes are counted and lent: who gets the next one.

``processes`` counts them, ``request_order`` and ``unlimited_requests`` say who is first. May use ``waiting`` and what
is below.
"""
