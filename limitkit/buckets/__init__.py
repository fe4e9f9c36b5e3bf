"""Arithmetic and plain values: token buckets, partitions, overrides, tickets. No clock, no store, no Celery.

The doors are ``token_bucket``, which has the sums that the Lua scripts have too, and ``decision``, which has what a
store is asked and what it answers. May use ``config``.
"""
