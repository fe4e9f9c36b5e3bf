"""What plays a scenario: a virtual clock, workers and their pools, a broker, and a Redis that runs real Lua scripts.

``world`` is the door: it puts all of it together. ``timeline`` is the clock and what happens on it, ``worker`` a worker
with a real pacer, ``pool`` its processes, ``redis_server`` the Redis. May use ``trial.scenario``, ``trial.outcome``,
``worker`` and what is below.
"""
