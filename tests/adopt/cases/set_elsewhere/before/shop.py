from celery import Celery

app = Celery("shop")
app.conf.task_default_rate_limit = "100/m"
app.conf.task_annotations = {
    "shop.charge": {"rate_limit": "10/s"},
    "shop.refund": {"rate_limit": "5/m"},
    "shop.*": {"rate_limit": "1/s"},  # Celery has no patterns here
}
app.conf.task_annotations["shop.refund"] = {"rate_limit": "6/m"}
app.conf.task_annotations["shop.mail"]["rate_limit"] = "7/m"
app.conf.task_annotations["shop.charge"]["time_limit"] = 5
app.conf.task_annotations.update({"shop.ship": {"rate_limit": "8/m"}, "shop.pack": {"time_limit": 5}})
app.conf.task_annotations |= more


@app.task
def charge(): ...


@app.task
def refund(): ...


@app.task(rate_limit="9/m")
def mail(): ...


@app.task(rate_limit="9/m")
def ship(): ...


@app.task(rate_limit="9/m")
def pack(): ...


@app.task(rate_limit=0)
def free(): ...
