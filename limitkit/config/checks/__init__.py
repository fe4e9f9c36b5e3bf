"""What is wrong with a file, said as problems with a code, a place and a remedy.

``json_schema`` is made from the model; ``schema_check`` asks it about what the model does not take, by
``schema_validator``. ``schema_errors`` and ``model_errors`` turn what the two find into problems; ``between_tables``
finds what no table shows by itself. May use ``config.model`` and ``config.source``.
"""
