"""Programs that some tests need. Where one is missing they are skipped, and fail in CI once all should be there."""

import os
import shutil

import pytest


def needed(*names, package):
    """Return the path of a program, by the first of these names that the PATH has; skip the test when it has none."""
    return next(filter(None, map(shutil.which, names)), None) or missing(names[0], package)


def missing(program, package):
    """Skip a test, or have it fail in CI."""
    reason = f"{program} is missing, which Debian has in its package {package}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
