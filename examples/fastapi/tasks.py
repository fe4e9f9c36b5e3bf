"""The Celery app and its tasks. The web app imports this module, and workers do: ``celery -A tasks worker``."""

import os

from celery import Celery

import limitkit

REDIS = os.environ.get("REDIS_URL", "redis://localhost:6379/0")

celery_app = Celery("tasks", broker=REDIS, backend=REDIS)
limitkit.install(celery_app)


@celery_app.task(name="reports.build")
def build_report(tenant: str) -> str:
    return f"report of {tenant}"
