from celery import shared_task


@shared_task(rate_limit="2/s")
def slow(): ...
