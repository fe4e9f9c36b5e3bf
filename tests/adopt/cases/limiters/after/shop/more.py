from shop.bases import StripeTask
from shop.celery import app


@app.task
def same_bucket(): ...
