"""What ``celery -A worker`` finds: the Celery app of a Flask app that was made for it."""

from app import create_app

app = create_app().extensions["celery"]
