"""Searches for lives of workers in which a promise of limitkit is broken: random limits, arrivals and faults.

``python -m search`` plays them on the virtual clock of ``limitkit.trial``; ``make search`` calls it. What it finds is
made small and written as a ``[[test]]`` file. ``life`` is what is played, ``random_config``, ``random_scenario`` and
``random_scene`` make it up, ``promises`` judges it, ``hunt`` runs many of them, and ``shrink`` makes one small.
``mutants`` are faults, and ``hunter`` shows that each is found.
"""
