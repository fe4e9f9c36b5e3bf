"""How the demo is run."""

import sys

COMMAND = [sys.executable, "-c", "from limitkit.cli import main; main()", "demo"]
