"""An app with the tasks of all recipes.

Start a Redis and a worker with the file of one of them:

    cd examples/recipes
    LIMITKIT_CONFIG=database_reports.toml celery -A recipes worker -Q celery,outbox -P threads
"""

import os

from celery import Celery

import limitkit

REDIS = os.environ.get("REDIS_URL", "redis://localhost:6379/0")

app = Celery("recipes", broker=REDIS, backend=REDIS)
app.conf.imports = [
    "anthropic_like",
    "campaign_and_receipts",
    "database_reports",
    "google_ads_like",
    "night_rates",
    "openai_like",
    "ses_like",
    "shopify_like",
]
app.conf.task_routes = {"outbox.*": {"queue": "outbox"}}
limitkit.install(app)
