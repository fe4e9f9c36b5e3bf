import pytest
from support.commands import CLI, Runner


@pytest.fixture
def run_at():
    """Run a command with the app of tasks that wait, at the broker of a URL."""
    return lambda arguments, url: Runner(CLI, BROKER_URL=url).run(*arguments)
