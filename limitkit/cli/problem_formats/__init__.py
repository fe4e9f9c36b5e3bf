"""How ``validate`` prints problems: for people, for programs, for GitHub Actions, and for tools that read SARIF.

The door is ``show``. Each format is a module; ``report`` has what all of them are about. May use
``cli.output``, ``cli.github_log``, ``cli.problem_pages`` and ``config`` (for its wording).
"""
