"""Tries limits before production: the code that runs there, on a virtual clock.

The door is ``play``, which plays a ``scenario`` and returns its ``outcome``. The pacer, its lanes, the guard, the
waiting room and its scripts, and the store in memory are the real ones; pool, broker and Redis are played.
``test_file/`` and ``expectations/`` are what ``limitkit test`` reads and judges, ``plan/`` compares two files, and
``recording/`` writes traces. May use ``worker`` and what is below.
"""
