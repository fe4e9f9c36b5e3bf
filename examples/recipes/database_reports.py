"""Build reports in a database that bears five of them at once."""

import partners
from celery import shared_task


@shared_task(name="reports.sales", time_limit=1800)
def sales(tenant: str, month: str) -> str:
    return partners.build_report(tenant, month)
