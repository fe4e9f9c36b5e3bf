"""The commands, one module each, which has it as ``command``; ``entry_point`` lists and imports them.

May use all that ``cli`` may.
"""
