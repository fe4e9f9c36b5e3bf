"""What a worker notes of its messages while ``limitkit record`` records: when they came, started and ended.

``switch`` is the door: a remote-control command begins a recording, and it ends by itself unless it is renewed.
``runs`` notes each request as it comes, and ``followed`` how it goes on; ``arguments`` replaces what limits read in its
arguments by digests and numbers, and ``entries`` sends what was noted. While nothing records, none of it is in the way
of a message. May use the rest of ``worker`` but its steps, ``control``, ``waiting`` and what is below.
"""
