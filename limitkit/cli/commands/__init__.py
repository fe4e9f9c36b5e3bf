"""The commands, one module each, with the command as ``command``; ``entry_point`` lists and imports them.

May use all that ``cli`` may.
"""
