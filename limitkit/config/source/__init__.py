"""The text of a file: reads it, parses it, and finds the line and column of each key and value.

The door is ``toml``. May use the config's wording, and ``errors``.
"""
