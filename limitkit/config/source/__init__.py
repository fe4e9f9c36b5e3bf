"""The text of a file: read it, parse it, and tell the line and column of whatever is in it.

The door is ``toml``. May use the config's wording, and ``errors``.
"""
