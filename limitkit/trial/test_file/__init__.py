"""Test files and scenario files, as they are played: from tables to a scenario and its expectations, and their runs.

The door is ``read`` (cases) and ``run`` (their results); ``find_files`` finds test files, ``faults`` makes what goes
wrong, with the same checks as the commands that operators use. May use ``trial``, ``control`` and what is below.
"""
