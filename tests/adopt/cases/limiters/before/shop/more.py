from shop.bases import StripeTask
from shop.celery import app


@app.task(base=StripeTask, tokens_per_second=25)
def same_bucket(): ...
