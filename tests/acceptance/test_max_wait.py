"""What may not wait for its limits is dropped or fails, and says so; a chord with it does not wait for ever."""

import pytest
from celery import chord, group
from celery.exceptions import ChordError, TaskRevokedError
from support.measure import excess, promised
from support.workers import wait_until

LIMITS = """
version = 1

[limits.narrow]
strategy = "token_bucket"
rate = "1/s"

[limits.failing]
strategy = "token_bucket"
rate = "1/m"
on_limit = "fail"

[tasks."kept.result"]
strategy = "token_bucket"
rate = "5/m"
burst = 3
on_limit = "drop"

[tasks."kept.group"]
strategy = "token_bucket"
rate = "20/m"
on_limit = "drop"
max_wait = "8s"

[tasks."kept.chain"]
strategy = "static"
rate = "1/m"
on_limit = "fail"

[tasks."kept.link"]
limits = ["narrow", "failing"]

[tasks."kept.header"]
strategy = "token_bucket"
rate = "1/m"
burst = 1
on_limit = "drop"
"""


@pytest.fixture(scope="module", params=["prefork", "threads", "foreign-solo"])
def shop(make_kept, request):
    shop = make_kept(LIMITS)
    shop.start_workers(1, "-P", request.param)
    shop.pool = request.param
    return shop


def outcomes(results):
    """Wait for all; tell who succeeded, and the reasons of the others."""
    wait_until(lambda: all(result.ready() for result in results))
    done = {"SUCCESS": 0}
    for result in results:
        outcome = result.get(timeout=20, propagate=False)
        if result.state == "SUCCESS":
            done["SUCCESS"] += 1
        else:
            reason = (result.state, type(outcome).__name__)
            done[reason] = done.get(reason, 0) + 1
    return done


def test_what_cannot_start_now_is_dropped(shop):
    sent = [shop.send("kept.result", number) for number in range(20)]
    done = outcomes(sent)
    started = len(shop.wait_for(1, "kept.result"))
    assert done == {"SUCCESS": started, ("REVOKED", "TaskRevokedError"): 20 - started}
    assert 3 <= started <= 5
    dropped = next(result for result in sent if result.state == "REVOKED")
    with pytest.raises(TaskRevokedError, match="rate limit"):
        dropped.get()
    assert excess(shop.times("kept.result"), 5 / 60) <= promised(5 / 60, 3)


def test_what_would_wait_too_long_is_dropped_and_the_rest_waits(shop):
    if shop.pool.startswith("foreign"):  # elsewhere a message that is sent back does not know since when it waits
        return
    done = outcomes([shop.send("kept.group", number) for number in range(30)])
    started = done.pop("SUCCESS")
    assert done == {("REVOKED", "TaskRevokedError"): 30 - started}
    assert 2 <= started <= 5  # in time are the first, and those 3 s and 6 s later
    assert excess(shop.times("kept.group"), 1 / 3) <= promised(1 / 3)


def test_a_static_limit_fails_what_cannot_start_now(shop):
    if shop.pool.startswith("foreign"):  # static limits are not kept elsewhere
        return
    first, second = shop.send("kept.chain", 1), shop.send("kept.chain", 2)
    assert first.get(timeout=20) == 1
    error = second.get(timeout=20, propagate=False)
    assert (second.state, type(error).__name__) == ("FAILURE", "RateLimitExceeded")
    assert "kept.chain" in str(error)


def test_of_several_limits_fail_wins_and_error_links_run(shop):
    assert shop.send("kept.link", 1).get(timeout=20) == 1
    before = len(shop.starts("kept.errback"))
    failed = shop.app.send_task("kept.link", (2,), link_error=shop.app.signature("kept.errback"))
    error = failed.get(timeout=20, propagate=False)
    assert (failed.state, type(error).__name__) == ("FAILURE", "RateLimitExceeded")
    shop.wait_for(before + 1, "kept.errback")
    assert len(shop.starts_of(failed)) == 0


def test_a_chord_with_one_that_is_dropped_fails(shop):
    header = group(shop.app.signature("kept.header", (number,)) for number in range(3))
    result = chord(header)(shop.app.signature("plain.add"))
    wait_until(result.ready)
    assert isinstance(result.result, ChordError)
    assert len(shop.starts("kept.header")) == 1
