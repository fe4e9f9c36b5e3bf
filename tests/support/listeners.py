"""Listeners to limitkit's events, in this process and in one that is forked."""

import os


class Heard(list):
    def __init__(self, *kinds):
        self.kinds = kinds

    def wants(self, kind):
        return not self.kinds or kind in self.kinds

    def __call__(self, event):
        self.append(event)

    __hash__ = object.__hash__


def in_child(do):
    """Do something in a process that is forked, and wait for its end."""
    pid = os.fork()
    if not pid:
        try:
            do()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
