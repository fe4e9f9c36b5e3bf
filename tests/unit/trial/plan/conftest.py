import pytest

from limitkit.config.load import judge
from limitkit.config.source.toml import parse
from limitkit.trial.plan.compare import compare


def config(text, path):
    return judge(parse(f"version = 1\n{text}", path))


@pytest.fixture
def plan_of():
    """Compare two files, given as their TOML without the version."""
    return lambda old, new, tasks=(): compare(config(old, "old.toml"), config(new, "new.toml"), tasks)


@pytest.fixture
def rules_of():
    """Return the rules of a file."""
    return lambda text: config(text, "file.toml").rules


@pytest.fixture
def limits_of():
    """Return the named limits of a file."""
    return lambda text: config(text, "file.toml").rules.named
