"""A shop's tasks. No code here knows a rate: all rates are in ratelimits.toml, in the folder above.

Start a Redis and a worker, then send some:

    cd examples
    celery -A shop worker
    python -c "import shop; [shop.user_api_request.delay('u1', '/cart') for _ in range(10)]"
"""

import os

import services
from celery import Celery

import limitkit

REDIS = os.environ.get("REDIS_URL", "redis://localhost:6379/0")

app = Celery("shop", broker=REDIS, backend=REDIS)
limitkit.install(app)


@app.task(name="shop.call_external_api")
def call_external_api(endpoint: str) -> dict:
    return services.get(endpoint)


@app.task(name="shop.send_push_notification")
def send_push_notification(user_id: str, message: str) -> str:
    return services.push(user_id, message)


@app.task(name="shop.send_marketing_email")
def send_marketing_email(batch: list[str]) -> list[str]:
    return [services.mail(address) for address in batch]


@app.task(name="shop.charge_customer")
def charge_customer(customer_id: str, amount: int) -> dict:
    return services.charge(customer=customer_id, amount=amount, currency="usd")


@app.task(name="shop.user_api_request")
def user_api_request(user_id: str, endpoint: str) -> dict:
    return services.get(f"{endpoint}?user={user_id}")


@app.task(name="shop.update_search_index")
def update_search_index(product_id: int) -> int:
    """Has no entry in the file, so it has no limit and does not wait for the others."""
    return product_id
