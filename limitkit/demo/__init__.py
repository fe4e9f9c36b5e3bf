"""``limitkit demo``: a real Redis, two real workers, and what was declared against what was achieved.

The door is ``run``; with ``--serve`` it is ``serve``. May use all but the command line.
"""
