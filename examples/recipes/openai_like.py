"""Ask a language model that counts requests and tokens a minute, for each account and model."""

import partners
from celery import shared_task


@shared_task(name="llm.answer")
def answer(account: str, model: str, prompt: str) -> dict:
    said = partners.chat(account, model, prompt, max_tokens=500)
    return {"text": said["text"], "usage": said["usage"]}
