"""How things stand in all workers together: what ``limitkit status``, ``drift`` and ``why`` show.

``collect`` asks the store and the workers, ``snapshot`` is what they answered, ``drift`` is where that is not what
the file says. May use ``waiting``, beside what ``control`` may.
"""
