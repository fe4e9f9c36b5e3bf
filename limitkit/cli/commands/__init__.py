"""The commands, one module each, with the command as ``command``; ``entry_point`` lists and imports them.

Those that set something while workers run are in ``overrides/``. May use all that ``cli`` may.
"""
