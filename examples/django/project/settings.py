"""Settings of the project: as small as an example can be."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).parents[1]
SECRET_KEY = os.environ.get("SECRET_KEY", "only for this example")
INSTALLED_APPS = ["mails"]
ROOT_URLCONF = "project.urls"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
USE_TZ = True

CELERY_BROKER_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
CELERY_RESULT_BACKEND = CELERY_BROKER_URL

RATE_LIMITS = BASE_DIR / "ratelimits.toml"
