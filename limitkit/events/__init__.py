"""What happens, as values, and the one call that tells it to all who listen.

The doors are ``emitter`` and ``event_types``; ``relay`` carries events out of pool processes. May use ``buckets``.
"""
