"""Ask a language model that counts what it reads and what it writes apart."""

import partners
from celery import shared_task


@shared_task(name="chat.reply")
def reply(model: str, prompt: str, max_tokens: int = 1000) -> dict:
    said = partners.chat("main", model, prompt, max_tokens)
    return {"text": said["text"], "usage": said["usage"]}
