"""Files that say what is played and expected: ``*.limits.toml``, and scenarios.

The door is ``load``: it reads a file and returns its tables. ``tables`` and ``fields`` are what may stand in it,
``shape_errors`` says what is wrong with one value, ``cross_checks`` what does not fit together, ``schema`` makes the
JSON Schema. May use all of ``config``.
"""
