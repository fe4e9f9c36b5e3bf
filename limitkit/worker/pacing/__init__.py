"""Decides which requests may start, and when: the heart of limitkit, on one loop (``worker.pool.loops``).

Begin at ``pacer``: requests come to it, wait in the ``lanes`` of their buckets, are admitted when there is a process
(``admission``) and then a token (``taking``), and go to the pool (``hand_over``). May use ``worker.pool``, ``waiting``
and what is below.
"""
