"""A Flask app from a factory, with Celery beside it: the form that Flask's own documentation shows.

Run it in this folder: ``flask run``, and ``celery -A worker worker``.
"""

import os

from celery import Celery, Task, shared_task
from flask import Flask

import limitkit


def create_app() -> Flask:
    app = Flask(__name__)
    redis = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
    app.config["CELERY"] = {"broker_url": redis, "result_backend": redis}
    app.config["RATE_LIMITS"] = os.path.join(app.root_path, "ratelimits.toml")  # noqa: PTH118 (as Flask's users write)
    init_celery(app)

    @app.post("/invoices/<customer>")
    def invoice(customer: str) -> tuple[dict, int]:
        return {"task": send_invoice.delay(customer).id}, 202

    return app


def init_celery(app: Flask) -> Celery:
    class FlaskTask(Task):
        def __call__(self, *args: object, **kwargs: object) -> object:
            with app.app_context():
                return self.run(*args, **kwargs)

    celery_app = Celery(app.name, task_cls=FlaskTask)
    celery_app.config_from_object(app.config["CELERY"])
    celery_app.set_default()
    limitkit.install(celery_app, app.config["RATE_LIMITS"])
    app.extensions["celery"] = celery_app
    return celery_app


@shared_task(name="invoices.send")
def send_invoice(customer: str) -> str:
    return f"invoice for {customer}"
