"""Query stores at a partner that gives each of them points, and says afterwards how many a query has cost."""

import partners
from celery import shared_task


@shared_task(name="storefront.query")
def query(store: str, text: str, points: int = 100) -> dict:
    return partners.graphql(store, text, points)
