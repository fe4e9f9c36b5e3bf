"""Events: what happens, as values, and the one call that emits them to all listeners.

The doors are ``emitter`` and ``event_types``; ``relay`` carries events out of pool processes. May use ``buckets``.
"""
