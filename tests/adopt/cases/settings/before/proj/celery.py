from celery import Celery

app = Celery("proj", task_default_rate_limit="100/s")
app.conf.update(
    task_annotations={
        "proj.tasks.mail": {"rate_limit": "10/s", "time_limit": 5},
        "proj.tasks.sms": {"rate_limit": 4},  # kept
        # stays
        "proj.tasks.push": {"time_limit": 5},
        "proj.tasks.free": {"rate_limit": 0},
    },
    task_acks_late=True,
)
