"""The commands that change limits while workers run, one module each; ``set`` is the one to begin with.

The door is ``entry_point``, which lists and imports them. May use all that ``cli`` may.
"""
