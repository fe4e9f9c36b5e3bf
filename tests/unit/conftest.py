import pytest

from limitkit.events import emitter


@pytest.fixture
def listen():
    """Let listeners listen for as long as a test takes."""
    before = emitter._listeners, emitter._carrier

    def listen(*listeners):
        for listener in listeners:
            emitter.listen(listener)
        return listeners[0]

    yield listen
    emitter._listeners, emitter._carrier = before
