"""The state of the limits in all workers: what ``limitkit status``, ``drift`` and ``why`` show.

``collect`` asks the store and the workers, ``snapshot`` is what they answered, ``drift`` finds where that differs from
the file. May use ``waiting``, beside what ``control`` may.
"""
