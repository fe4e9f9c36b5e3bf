"""Stand-ins for the partners of the recipes, so that each recipe runs anywhere."""

import time
from typing import Any


def call(service: str, answer: Any, seconds: float = 0.0) -> Any:
    """Answer after a time."""
    time.sleep(seconds)
    return answer


def chat(account: str, model: str, prompt: str, max_tokens: int) -> dict:
    usage = {"input_tokens": len(prompt) // 4, "output_tokens": max_tokens // 2}
    usage["total_tokens"] = usage["input_tokens"] + usage["output_tokens"]
    return call(f"{model} for {account}", {"text": "…", "usage": usage}, 0.1)


def change_ads(operations: list[str]) -> int:
    return call("ads", len(operations))


def read_ads(query: str) -> list[str]:
    return call("ads", [query])


def graphql(store: str, text: str, points: int) -> dict:
    cost = {"requestedQueryCost": points, "actualQueryCost": points // 5}
    return call(store, {"data": {"query": text}, "extensions": {"cost": cost}}, 0.1)


def send_mail(recipients: list[str], subject: str) -> int:
    return call(subject, len(recipients))


def build_report(tenant: str, month: str) -> str:
    return call(tenant, f"{tenant}-{month}.pdf", 0.4)


def sync_order(order: int) -> int:
    return call("erp", order)
