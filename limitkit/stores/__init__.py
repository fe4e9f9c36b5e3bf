"""Where buckets live: Redis, a cluster or sentinels of it, or the worker's own memory.

The door is ``choice``, which opens the store that a file and an app ask for; ``store`` says what each store must do,
and ``tests/stores`` holds each to it. The Lua scripts are beside the modules. May use ``config``, ``buckets`` and
``events``.
"""
