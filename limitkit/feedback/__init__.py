"""What the other side answers: an exception is matched, its wait is read, and the store is updated.

Begin at ``handler``. May use ``control`` and what is below.
"""
