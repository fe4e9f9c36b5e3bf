from proj.celery import app


@app.task(rate_limit="1/s")
def mail(): ...


@app.task
def sms(): ...


@app.task
def exempt(): ...
