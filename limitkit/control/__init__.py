"""Run time: which limits are in force now, how they are changed, and how workers follow.

``manager`` is the door for people and scripts. ``task_limits`` is the door for code in a worker; ``refresh`` keeps it
up to date. ``workers`` asks all workers. The data of ``limitkit status`` are in ``status/``. May use ``stores`` and
what is below.
"""
