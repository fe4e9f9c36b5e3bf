"""Copy orders into a system that people work with during the day."""

import partners
from celery import shared_task


@shared_task(name="erp.sync_order")
def sync_order(order: int) -> int:
    return partners.sync_order(order)
