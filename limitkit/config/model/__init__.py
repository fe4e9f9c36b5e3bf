"""What a file may hold: one model for each table, and the types of the values in it.

The door is ``tables``; its ``fields``, units, addresses, ports and patterns are modules of their own. May use the
config's wording, and ``errors``.
"""
