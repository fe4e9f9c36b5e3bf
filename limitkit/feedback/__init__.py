"""What the other side says: an exception is matched, its wait is read, and the store is told.

The door is ``handler``. May use ``control`` and what is below.
"""
