"""Lifts rate limits out of code into ``ratelimits.toml``: what ``limitkit adopt`` does.

The door is ``lift``: it searches files, and returns what would change, and what it can't lift. ``source`` is one
parsed module; ``tasks``, ``settings``, ``heimdall``, ``throttle`` and ``limiter_classes`` find limits in it, ``calls``
what is only listed. ``merge`` decides which of them go into the file, ``rewrite`` takes them out of the code. It alone
uses LibCST. May use ``config`` and ``errors``.
"""
