"""What ``limitkit test`` prints: ``text_report`` for people, ``json_report`` for programs, ``junit_report`` for CI.

``report`` has what all of them are about. May use ``trial``, and ``cli.output``.
"""
