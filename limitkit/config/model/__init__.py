"""What a file may contain: one model for each table, and the types of its values.

The door is ``tables``; their fields, units, addresses, ports and patterns are modules of their own. May use the
config's wording, and ``errors``.
"""
