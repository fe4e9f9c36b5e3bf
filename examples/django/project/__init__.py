"""The project. It imports the Celery app, so that ``shared_task`` finds it wherever Django runs."""

from project.celery import app

__all__ = ["app"]
