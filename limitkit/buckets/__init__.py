"""Arithmetic and plain values: token buckets, partitions, overrides, tickets. No clock, no store, no Celery.

The doors are ``token_bucket``, with the same arithmetic as the Lua scripts, and ``decision``, with what a store is
asked and what it answers. May use ``config``.
"""
