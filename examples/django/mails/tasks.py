from celery import shared_task


@shared_task
def send_welcome(user: str) -> str:
    return f"welcome {user}"
