"""Somebody who answers Celery's remote control as a worker does, and answers what a test wants."""

import contextlib
import threading

from celery import Celery


@contextlib.contextmanager
def answering(url, name, **handlers):
    """Answer as a worker of this name: ``handlers`` are functions of a command's arguments, by command."""
    app = Celery("impostor", broker=url, set_as_current=False)
    stop = threading.Event()
    with app.connection_for_read() as connection:
        channel = connection.channel()
        node = app.control.mailbox.Node(
            name, channel=channel, handlers={each: _answer(function) for each, function in handlers.items()}
        )
        consumer = node.listen(callback=node.handle_message)

        def serve():
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    connection.drain_events(timeout=0.1)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            consumer.cancel()
    app.close()


def _answer(function):
    return lambda _state, **arguments: function(**arguments)
