"""Finds what is wrong with a file, as problems with a code, a place and a remedy.

``json_schema`` is made from the model; ``schema_check`` checks by it, with ``schema_validator``, what the model
rejects. ``schema_errors`` and ``model_errors`` turn what the schema and the model find into problems. ``terms`` and
``costs`` find values that don't fit each other, ``between_tables`` errors that no table shows by itself. May use
``config.model`` and ``config.source``.
"""
