"""Run time: what is in force now, who changes it, and how workers follow.

``manager`` is the door for people and scripts, ``task_limits`` for what runs in a worker, which ``refresh`` keeps up
to date; ``workers`` asks them all. What ``limitkit status`` knows is in ``status/``. May use ``stores`` and what is
below.
"""
