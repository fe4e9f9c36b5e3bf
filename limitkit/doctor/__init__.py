"""What will hurt: the app's settings, its broker, the store, the workers and what is installed, looked at from outside.

The door is ``examine``: it looks at all of them, each within a few seconds, and changes nothing. Each module looks at
one thing; ``finding`` has what they say. May use ``install_check``, ``name_clash``, ``worker`` and what is below.
"""
