"""Warnings that read the arithmetic of a file: it may be meant so, and is seldom what was meant.

The door is ``findings``: it goes through all lints, one module for each idea. ``undercut`` and ``admission`` compare
limits, ``worst_minute``, ``short_waits`` and ``vain_terms`` look at one, ``hidden_patterns`` at names, ``few_values``
and ``chord_headers`` at the code of an app's tasks, ``static_sums`` at the number of workers. ``declared_terms`` goes
through what they read. May use all of ``config``.
"""
