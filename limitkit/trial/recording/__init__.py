"""Writes a trace of what happens in running workers: ``limitkit record``.

``record`` is the door: it turns recording on in workers and receives what they note; ``recorder`` makes one line of
each message, ``trace_file`` writes the file, and ``trace_line`` checks a line when it is read. May use ``control`` and
what is below.
"""
