"""An app whose tasks ``limitkit init`` has something to say of."""

from celery import Celery

import limitkit

app = Celery("initapp", broker="redis://eve:sesame@localhost:1/3", set_as_current=False)
limitkit.install(app)


def task(name, module="shop.tasks", **options):
    def register(function):
        function.__module__ = module
        return app.task(name=name, shared=False, **options)(function)

    return register


@task("shop.charge")
def charge(customer_id, amount=3, *, note="s3cret"): ...


@task("shop.pay", bind=True)
def pay(self, order, /, **more): ...


@task("shop.sync", rate_limit="30/m")
def sync(tenant): ...


@task("shop.poll", rate_limit=2)
def poll(): ...


@task("shop.odd", rate_limit="1e-05/s")
def odd(*users, retry=None): ...


@task("emails.receipt", module="shop.emails")
def receipt(to, user): ...


@task("emails.invoice", module="shop.emails")
def invoice(account, orgId): ...  # noqa: N803 - as somebody may write it
