"""Send mails through a partner that counts recipients, by the second and by the last 24 hours."""

import partners
from celery import shared_task


@shared_task(name="mail.send")
def send(recipients: list[str], subject: str) -> int:
    return partners.send_mail(recipients, subject)
