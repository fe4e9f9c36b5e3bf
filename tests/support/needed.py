"""Programs that some tests need. Where one is missing they are skipped, and fail in CI once all should be there."""

import os
import shutil
import sys
from pathlib import Path

import pytest


def needed(*names, package):
    """Return the path of a program, by the first of these names that the PATH has; skip the test when it has none."""
    return next(filter(None, map(shutil.which, names)), None) or missing(names[0], package)


def missing(program, package, where="Debian"):
    """Skip a test, or have it fail in CI."""
    reason = f"{program} is missing, which {where} has in its package {package}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def needed_of_python(name):
    """Return the path of a program that a Python package brings; skip the test when it is not installed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return shutil.which(name, path=path) or missing(name, name, "the package index")
