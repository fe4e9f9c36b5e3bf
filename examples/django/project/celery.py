"""The Celery app: settings from Django, tasks from the installed apps, limits from ratelimits.toml."""

import os

from celery import Celery
from django.conf import settings

import limitkit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

app = Celery("project")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
limitkit.install(app, settings.RATE_LIMITS)
