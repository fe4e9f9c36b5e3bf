"""What is expected of a play, and whether it has come so.

The door is ``judge``; ``expectation`` has the values, ``windows`` and ``waits`` the rules, ``starts_around`` the starts
that are shown with a failure. May use ``trial.outcome``, and the config's units, rules and wording.
"""
