"""How serious a problem is taken: the table ``[lint]``, and comments that ignore a problem on a line.

The door is ``judge``. May use ``source``, the config's wording, and ``errors``.
"""
