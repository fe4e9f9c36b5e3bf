"""A task that meets the other side's "slow down" goes back to wait, and its limit backs off on all workers."""

import time

import pytest
from celery.exceptions import MaxRetriesExceededError
from support.partner import Partner
from support.scene import Scene
from support.workers import ALONE, wait_until

LIMITS = """
version = 1

[tasks."call*"]
strategy = "token_bucket"
rate = "20/s"

[tasks."call*".feedback]
on = ["urllib.error.HTTPError:429"]

[tasks."goes.on"]
strategy = "token_bucket"
rate = "20/s"

[tasks."goes.on".feedback]
on = ["re:Too Many"]
resend = false

[tasks."few.autoretry"]
strategy = "token_bucket"
rate = "20/s"

[tasks."few.autoretry".feedback]
on = ["urllib.error.HTTPError:429"]
resend = 2

[tasks."out.of.money"]
strategy = "token_bucket"
rate = "20/s"

[tasks."out.of.money".feedback]
on = ["urllib.error.HTTPError:429"]
unless = ["re:429: Too Many"]

[tasks.hostile]
strategy = "token_bucket"
rate = "20/s"

[tasks.hostile.feedback]
on = ["re:(a+)+$"]

[tasks."call.user"]
strategy = "per_user"
rate = "20/s"
key = "user_id"

[tasks."call.user".feedback]
on = ["urllib.error.HTTPError:429"]
action = "pause"
"""
WAITING = ("call", "call.autoretry", "call.retry", "call.caused", "call.class")
CLOSED, OPEN = 0, 10**6


@pytest.fixture(scope="module", params=["prefork", ALONE])
def shop(make_kept, request, tmp_path_factory):
    with Partner(OPEN, retry_after=1) as partner:
        shop = make_kept(LIMITS, module="support.partner_app", env={"PARTNER_URL": partner.url})
        shop.start_workers(2, "-P", request.param)
        shop.partner = partner
        yield shop
        shop.terminate()


@pytest.mark.parametrize("name", WAITING)
def test_it_goes_back_to_wait_as_often_as_need_be_and_spends_no_retry(shop, name):
    shop.partner.secret = CLOSED
    sent = shop.send(name)
    wait_until(lambda: shop.partner.refused[name] >= 3)
    assert sent.state == "RETRY"
    shop.partner.secret = OPEN
    assert sent.get(timeout=20) == 200
    attempts = shop.starts_of(sent)
    assert len(attempts) >= 4
    assert {start.retries for start in attempts} == {0}
    said = "\n".join(worker.output() for worker in shop.workers)
    assert said.count(f"] {name}: the other side refused; no start for 1 s, then 18/s.") == 1


def test_where_it_is_not_sent_back_its_exception_goes_on(shop):
    shop.partner.secret = CLOSED
    sent = shop.send("goes.on")
    with pytest.raises((OSError, MaxRetriesExceededError)):
        sent.get(timeout=20)
    assert [start.retries for start in shop.starts_of(sent)] == [0, 1]
    shop.partner.secret = OPEN


def test_after_so_many_times_in_a_row_its_exception_goes_on_and_a_retry_of_its_own_begins_anew(shop):
    shop.partner.retry_after, shop.partner.secret = None, CLOSED
    sent = shop.send("few.autoretry")
    with pytest.raises((OSError, MaxRetriesExceededError)):
        sent.get(timeout=30)
    starts = shop.starts_of(sent)
    assert [start.retries for start in starts] == [0, 0, 0, 1, 1, 1]
    assert {start.label for start in starts} == {""}, "no task sees how often"
    said = "\n".join(worker.output() for worker in shop.workers)
    assert said.count(f"few.autoretry[{sent.id}] was refused 3 times in a row, so its exception goes on") == 2
    shop.partner.retry_after, shop.partner.secret = 1, OPEN


def test_what_never_gets_better_goes_on_and_nothing_backs_off(shop):
    shop.partner.secret = CLOSED
    sent = shop.send("out.of.money")
    with pytest.raises((OSError, MaxRetriesExceededError)):
        sent.get(timeout=20)
    assert [start.retries for start in shop.starts_of(sent)] == [0, 1]
    assert not [worker for worker in shop.workers if "] out.of.money: the other side" in worker.output()]
    shop.partner.secret = OPEN


def test_no_text_holds_a_worker_up(shop):
    sent = [shop.send("hostile") for _ in range(8)]
    for each in sent:
        with pytest.raises(ValueError, match="aaa"):
            each.get(timeout=20)
    assert shop.send("call").get(timeout=20) == 200


@pytest.mark.quiet
def test_nobody_starts_while_it_is_paused_but_other_partitions_do(shop):
    shop.partner.retry_after, shop.partner.secret = 4, CLOSED
    paused = [shop.send("call.user", "paused") for _ in range(4)]
    wait_until(lambda: shop.partner.refused["call.user/paused"])
    began = time.monotonic()
    shop.partner.secret = OPEN
    others = [shop.send("call.user", "other") for _ in range(4)]
    assert [sent.get(timeout=20) for sent in others + paused] == [200] * 8
    last = max(start.at for start in shop.starts("call.user") if start.label == "other")
    attempts = sorted(start.at for start in shop.starts("call.user") if start.label == "paused")
    # What was under way starts within a moment; all others after the pause, on both workers.
    assert not [at for at in attempts if began + 1.0 < at < began + 3.5]
    assert attempts[-1] >= began + 3.5
    assert last < began + 3.5
    shop.partner.retry_after = 1
    said = "\n".join(worker.output() for worker in shop.workers)
    assert said.count("] call.user: the other side refused; no start for 4 s, then 20/s.") == 1


def test_without_the_store_it_waits_for_itself():
    with (
        Partner(CLOSED, retry_after=1) as partner,
        Scene(LIMITS, own_store=True, module="support.partner_app", env={"PARTNER_URL": partner.url}) as scene,
    ):
        scene.shop.start_workers(1)
        scene.store.stop()
        scene.send([("call", ())] * 2)
        began = time.monotonic()
        wait_until(lambda: partner.refused["call"] >= 6)
        assert time.monotonic() - began >= 1.5, "each waits a second at least before it comes again"
        partner.secret = OPEN
        wait_until(lambda: sum(fine for _, fine in partner.answers) == 2)
        assert scene.shop.workers[0].output().count("The store can't be told") <= 2, "once in each process"
        scene.store.start()
        assert scene.tally()["lost"] == 0
