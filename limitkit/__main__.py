"""``python -m limitkit``: the same as ``limitkit``."""

from limitkit.cli import main

main()
