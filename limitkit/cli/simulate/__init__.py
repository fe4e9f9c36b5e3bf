"""What ``simulate`` shows of a play: tables, charts in the terminal, a picture, and the same for programs.

Begin at ``report``, which puts the text together. Only this room imports plotext and matplotlib; charts are drawn by
``plotext_charts``, whose two kinds of release differ in all names. May use ``trial`` and what
is below.
"""
