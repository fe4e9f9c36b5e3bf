"""The worker's pool: how many of its places are free, and which request gets the next one.

Begin at ``entry``: the way into a pool of any kind. Where Celery does not count a pool's places, ``places`` does;
``kinds`` knows how each pool shows an end, and ``loops`` where the pacer runs. ``processes`` gets free ones for the
pacer; ``request_order`` and ``unlimited_requests`` say which request is first. May use ``waiting`` and what is below.
"""
