"""Tries limits before production: the code that runs there, on a virtual clock.

The pacer, its lanes, the guard, the waiting room and its scripts, and the store in memory are the real ones; the pool,
the broker and Redis are played.
"""
