from celery import Celery

app = Celery("proj")
app.conf.update(
    task_annotations={
        "proj.tasks.mail": {"time_limit": 5},
        # kept
        # stays
        "proj.tasks.push": {"time_limit": 5},
    },
    task_acks_late=True,
)
