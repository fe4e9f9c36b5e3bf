import celery


@celery.shared_task(rate_limit="1/d" if False else "1/h")
def conditional(): ...


@celery.shared_task(rate_limit="30/h")
def nightly(): ...
