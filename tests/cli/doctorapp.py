"""An app with some settings that will hurt; the test names its broker."""

import os

from celery import Celery

import limitkit

app = Celery("doctorapp", broker=os.environ["BROKER_URL"], set_as_current=False)
app.conf.update(worker_prefetch_multiplier=0, broker_transport_options={"visibility_timeout": 120})
limitkit.install(app)


@app.task(name="shop.charge_customer", shared=False, rate_limit="10/m")
def charge_customer(customer): ...
