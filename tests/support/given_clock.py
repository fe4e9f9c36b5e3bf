"""A clock that stands still until it is moved."""


class GivenClock:
    def __init__(self, now=1000.0):
        self.now = now

    def monotonic(self):
        return self.now

    def time(self):
        return 1.8e9 + self.now

    def sleep(self, seconds):
        self.now += seconds
