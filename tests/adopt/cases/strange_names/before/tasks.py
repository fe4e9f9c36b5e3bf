from celery import Celery

app = Celery("tasks")
app.conf.task_annotations = {"y\udfffz": {"rate_limit": "2/s"}}


@app.task(name="a\ud800b", rate_limit="1/s")
def lone():
    pass


@app.task(name="a\u202eb", rate_limit="1/s")
def turned():
    pass


@app.task(name='a\x7f\x00\n"\\', rate_limit="1/s")
def control():
    pass


@app.task(name="mails.größe", rate_limit="1/s")
def letters():
    pass
