"""Values that take turns, on two real workers: one that has sent much does not keep the others waiting."""

from collections import Counter

import pytest
import redis
from support.scene import Scene

from limitkit import RateLimitManager

pytestmark = pytest.mark.quiet

OTHERS = [f"other{number}" for number in range(8)]
FAIR = """
[tasks.user]
strategy = "token_bucket"
rate = "40/s"
burst = 5
fair_by = "user_id"
"""


@pytest.fixture(scope="module")
def scene():
    with Scene(f"version = 1\n{FAIR}") as scene:
        scene.start_workers()
        yield scene
        assert scene.tally() == {"lost": 0, "twice": 0}


def send(scene, campaign, each):
    """Send a campaign, then what others want, and wait until all of it is parked or held; returns the starts so far."""
    scene.send([("user", ("campaign",))] * campaign + [("user", (other,)) for _ in range(each) for other in OTHERS])
    with redis.Redis(port=scene.broker.port) as client:
        assert scene.wait(lambda: not client.llen("celery") and client.hlen("limitkit:waiting:messages"))
    return Counter(scene.labels)


def test_a_campaign_does_not_keep_the_others_waiting(scene):
    before = send(scene, 400, 10)
    scene.wait(lambda: all(scene.labels[other] >= 10 for other in OTHERS))
    campaign = scene.labels["campaign"] - before["campaign"]
    assert campaign <= 40, "in their order of arrival it would be more than 200; in turns about 10"


def test_a_weight_that_is_set_holds_for_what_waits(scene):
    send(scene, 400, 60)
    manager = RateLimitManager(scene.shop.app, scene.shop.folder / "ratelimits.toml")
    manager.set_weights("user", {"campaign": 8})
    followed = sum(scene.labels.values()) + 80  # starts of two seconds
    scene.wait(lambda: sum(scene.labels.values()) >= followed)
    before = Counter(scene.labels)
    scene.wait(lambda: sum((scene.labels - before).values()) >= 120)
    had = scene.labels - before
    assert 0.3 <= had["campaign"] / sum(had.values()) <= 0.7, "half of the weights are the campaign's"
    assert max(had[other] for other in OTHERS) - min(had[other] for other in OTHERS) <= 6
