"""Change campaigns and read reports at a partner that gives a number of operations a day."""

import partners
from celery import shared_task


@shared_task(name="ads.change")
def change(operations: list[str]) -> int:
    return partners.change_ads(operations)


@shared_task(name="ads.report")
def report(query: str) -> list[str]:
    return partners.read_ads(query)
