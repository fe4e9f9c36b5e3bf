"""An app that does not quite fit its ratelimits.toml."""

from celery import Celery

app = Celery("shopapp", broker="memory://")


@app.task(shared=False, name="shop.call_external_api", rate_limit="3/m")
def call_external_api(url): ...


@app.task(shared=False, name="shop.charge_customer", bind=True, autoretry_for=(OSError,))
def charge_customer(self, tenantid, amount=1): ...


@app.task(shared=False, name="emails.reciept")
def receipt(): ...
