"""``limitkit demo``: a real Redis, two real workers, and the declared rates against those achieved.

Begin at ``run``; for ``--serve`` at ``serve``. May use all but the command line.
"""
