"""Send receipts and campaigns through one relay: all tasks that come from the queue "outbox"."""

import partners
from celery import shared_task


@shared_task(name="outbox.receipt")
def receipt(order: int, address: str, purpose: str = "receipt") -> int:
    return partners.send_mail([address], f"Your order {order}")


@shared_task(name="outbox.campaign")
def campaign(address: str, purpose: str = "campaign") -> int:
    return partners.send_mail([address], "Spring sale")
