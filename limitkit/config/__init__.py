"""From a file to rules: what ``ratelimits.toml`` may contain and what it means.

The door is ``load``: it finds the file, reads it, checks it, and returns a ``Config`` with its ``rules``. It uses
``source/`` (the text, with lines and columns), ``model/`` (the tables and their values) and ``checks/`` (schema and
meaning). ``compile_rules`` and ``compile_limits`` make the rules. ``declared`` has the values that the rest of the
package gets. May use only ``errors``.
"""
