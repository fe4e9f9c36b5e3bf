"""From a file to rules: everything about what ``ratelimits.toml`` may hold and what it means.

The door is ``load``: it finds the file, reads it, judges it, and returns a ``Config`` with its ``rules``. On the way
are ``source/`` (text and where in it something stands), ``model/`` (the tables and their values) and ``checks/``
(schema and meaning). ``declared`` has the values that the rest of the package gets. May use ``errors`` alone.
"""
