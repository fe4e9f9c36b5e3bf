"""Searches for lives of workers in which a promise of limitkit is broken: random limits, arrivals and faults.

``python -m search`` plays them on the virtual clock of ``limitkit.trial``; ``make search`` calls it. What it finds is
made small and written as a ``[[test]]`` file. ``life`` is what is played, ``random_config`` and ``random_scenario``
make it up, ``promises`` judges it, ``hunt`` runs many of them, ``shrink`` makes one small, and ``mutants`` shows that
faults are found.
"""
