"""How partitions with terms of their own are asked for, and how what waits for them follows."""

from types import SimpleNamespace

import pytest
from kombu.asynchronous.timer import Timer

from limitkit.buckets.call import Call
from limitkit.buckets.named_partition import named
from limitkit.buckets.override import Override, Target
from limitkit.config.load import judge
from limitkit.config.model.units import parse_rate
from limitkit.config.source.toml import parse
from limitkit.control.in_force import Terms
from limitkit.control.refresh import Refresh
from limitkit.control.task_limits import TaskLimits

TEXT = """
version = 1

[limits.tenant]
strategy = "per_user"
rate = "5/s"
key = "tenant"
show_key = {show}

[limits.tenant.partitions]
"acme" = {{ rate = "50/s", burst = 50 }}

[limits.fair]
strategy = "token_bucket"
rate = "50/s"
fair_by = "tenant"
weights = {{ "acme" = 2, "42" = 4 }}

[limits.both]
strategy = "per_user"
rate = "5/s"
key = ["tenant", "model"]

[limits.both.partitions]
'["acme", 7]' = {{ rate = "9/s" }}

[tasks.work]
limits = ["tenant", "fair", "both"]
"""


def work(tenant, model=None): ...


TASK = SimpleNamespace(name="work", run=work)


@pytest.fixture(params=["false", "true"])
def task_limits(request):
    return TaskLimits(judge(parse(TEXT.format(show=request.param), "f.toml")).rules, None)


def asks(task_limits, *args):
    return [task_limits.ask(bound, TASK, Call(args)) for bound in task_limits.limits(TASK)]


def use(task_limits, *overrides):
    task_limits.in_force.use(overrides, task_limits.in_force.now)
    task_limits.changed()


def override(name, partition="", kind="rate", **said):
    """As the store keeps it: what may be shown is there in clear."""
    target = Target("limits", name, named(partition).digest if partition else "", said.pop("shown", ""))
    rate = said.pop("rate", None)
    return Override(target=target, kind=kind, rate=parse_rate(rate) if rate else None, **said)


def test_each_message_has_the_terms_of_its_partition(task_limits):
    tenant, _, both = asks(task_limits, "acme", 7)
    assert (tenant.bucket.interval_us, tenant.bucket.burst) == (20_000, 50)
    assert both.bucket.interval_us == 111_112
    tenant, _, both = asks(task_limits, "globex", "7b")
    assert (tenant.bucket.interval_us, tenant.bucket.burst, both.bucket.interval_us) == (200_000, 1, 200_000)
    use(task_limits, override("tenant", "globex", "pause"))
    assert [asks(task_limits, each)[0].bucket.burst for each in ("globex", "acme", "x")] == [0, 50, 1]
    use(task_limits)
    assert asks(task_limits, "globex")[0].bucket.burst == 1


def test_each_value_of_fair_by_has_its_weight_and_the_one_that_is_set_wins(task_limits):
    assert [asks(task_limits, each)[1].weight for each in ("acme", 42, "x")] == [2.0, 4.0, 1.0]
    use(task_limits, override("fair", "acme", "weight", weight=1e9), override("fair", "x", "weight", weight=0.5))
    assert [asks(task_limits, each)[1].weight for each in ("acme", 42, "x")] == [1e9, 4.0, 0.5]


class Follower:
    """Keeps what it is told."""

    def __init__(self):
        self.told = []

    def retime(self, terms, weights):
        self.told.append(dict(terms))
        self.weights = dict(weights)

    def reconsider(self):
        """Do nothing."""


def test_what_is_parked_follows_the_terms_of_its_own_partition(task_limits):
    refresh = Refresh(judge(parse("version = 1", "f.toml")), task_limits, lambda: [TASK], lambda _: (), lambda _: None)
    follower = refresh._pacer = Follower()
    acme, globex, small = (asks(task_limits, name)[0].bucket.key for name in ("acme", "globex", "small"))
    refresh._follow()
    told = follower.told.pop()
    assert told["tenant"] == Terms(200_000, 1)
    assert told[acme].interval_us == 20_000
    assert globex not in told
    shown = "globex" if task_limits.rules.named["tenant"].show_key else ""
    use(task_limits, override("tenant", "globex", rate="2/s", shown=shown))
    refresh._follow()
    assert {key: of.interval_us for key, of in follower.told.pop().items() if key == globex} == {globex: 500_000}
    use(task_limits, override("tenant", "globex", rate="2/s", shown=shown), override("tenant", rate="1/s"))
    refresh._follow()
    told = follower.told.pop()
    assert {told[key].interval_us for key in ("tenant", acme)} == {1_000_000}
    assert told[globex].interval_us == 500_000, "though it has not changed: it must not follow its limit"
    use(task_limits)
    refresh._follow()
    told = follower.told.pop()
    assert told[globex] == told["tenant"] == Terms(200_000, 1), "it has no terms of its own any more"
    assert told[acme].interval_us == 20_000
    assert small not in told
    refresh._follow()
    assert not follower.told


SCHEDULED = """
version = 1

[tasks.work]
strategy = "static"
rate = "5/s"
schedule = [{ from = "06:00", to = "07:00", rate = "1/s" }]
"""
SIX = 86_400.0 * 20_000 + 6 * 3600


@pytest.fixture
def scheduled():
    config = judge(parse(SCHEDULED, "gone.toml"))
    task_limits = TaskLimits(config.rules, None)
    refresh = Refresh(config, task_limits, lambda: [TASK], lambda _: (), lambda _: None)
    refresh._pacer = Follower()
    return refresh, task_limits


def test_a_schedule_that_turns_is_followed_by_a_worker_without_a_store(scheduled):
    refresh, task_limits = scheduled
    follower = refresh._pacer
    task_limits.in_force.clock(SIX - 60)
    refresh.tick()
    refresh._follow()
    assert follower.told.pop() == {"task=work": Terms(200_000, 1)}
    task_limits.in_force.clock(SIX)
    refresh.tick()
    assert follower.told.pop() == {"task=work": Terms(1_000_000, 1, "schedule")}
    assert asks(task_limits)[0].bucket.interval_us == 1_000_000
    refresh.tick()
    assert not follower.told


def test_it_is_followed_at_its_moment_not_at_the_next_tick(scheduled):
    refresh, task_limits = scheduled
    timer, follower = Timer(), Follower()
    task_limits.in_force.clock(SIX - 60)
    refresh.start(SimpleNamespace(timer=timer, pool=None), follower)
    assert follower.told.pop() == {"task=work": Terms(200_000, 1)}
    task_limits.in_force.clock(SIX - 0.05)
    refresh.tick()
    due = iter(timer)
    while not follower.told:
        _, entry = next(due)
        if entry is not None:
            entry()
    assert follower.told == [{"task=work": Terms(1_000_000, 1, "schedule")}]
    assert refresh._ticks == 1
    refresh.stop()
