"""The shop with a task that waits for a server, as tasks in greenlets mostly do."""

import os
import urllib.request

from support.shop import app, started


@app.task(bind=True, name="call")
def call(self):
    started(self)
    with urllib.request.urlopen(os.environ["SERVER_URL"], timeout=60) as answer:
        return answer.status
