"""What the commands say that set other terms for every kind of limit, for partitions and weights, on a real Redis."""

import json
import shutil

import pytest
from support.commands import CLI, Runner, compare, masked_widths
from support.servers import RedisServer

from limitkit.buckets.decision import Bucket, Take
from limitkit.buckets.named_partition import named
from limitkit.buckets.partition import bucket_key
from limitkit.config.load import judge
from limitkit.config.source.toml import parse
from limitkit.control.make_bucket import bucket_of
from limitkit.control.task_limits import TaskLimits
from limitkit.stores.redis import RedisStore

GLOBEX = named("globex").digest

STEPS = {
    "set_running": ["set", "reports", "5", "--by", "eve"],
    "set_window": ["set", "daily", "20000/d", "--for", "2h", "--by", "eve"],
    "set_partition": ["set", "tenant", "60/s", "--partition", "acme", "--by", "eve"],
    "set_partition_by_number": ["set", "shown", "2/s", "--partition", "42", "--by", "eve"],
    "pause_partition": ["pause", "tenant", "--partition", GLOBEX, "--by", "ann", "--reason", "no bill paid"],
    "set_weight": ["set", "campaigns", "--weight", "acme=3", "--weight", "a=b=0.5", "--by", "eve"],
    "status": ["status"],
    "promote_running": ["promote", "reports"],
    "resume_partition": ["resume", "tenant", "--partition", "globex"],
    "resume_partition_not_paused": ["resume", "tenant", "--partition", "globex"],
    "restore_partition": ["restore", "tenant", "--partition", "acme"],
    "reduce": ["reduce", "0.5", "--by", "ann"],
    "restore_with_partitions": ["restore", "tenant"],
    "restore": ["restore"],
    "reset_window": ["reset", "recent"],
    "reset_window_with_resets": ["reset", "daily"],
    "reset_partition_in_clear": ["reset", "shown", "--partition", "acme"],
}
"""In this order: what one has set, the next one finds."""

WRONG = {
    "wrong_running": ["set", "reports", "10/s"],
    "wrong_running_zero": ["set", "reports", "0"],
    "wrong_running_burst": ["set", "reports", "5", "--burst", "2"],
    "wrong_rate_of_rate": ["set", "tenant", "5"],
    "wrong_window_part": ["set", "recent", "2.5/s"],
    "wrong_window_reset": ["set", "daily", "500/h"],
    "wrong_partition": ["set", "daily", "500/d", "--partition", "acme"],
    "wrong_pause_partition": ["pause", "reports", "--partition", "acme"],
    "wrong_reset_running": ["reset", "reports"],
    "wrong_weight": ["set", "tenant", "--weight", "acme=3"],
    "wrong_weight_zero": ["set", "campaigns", "--weight", "acme=0"],
    "wrong_weight_alone": ["set", "campaigns", "--weight", "acme"],
    "wrong_weight_and_rate": ["set", "campaigns", "5/s", "--weight", "acme=3"],
    "wrong_weight_of_partition": ["set", "campaigns", "--weight", "acme=3", "--partition", "acme"],
    "wrong_nothing": ["set", "campaigns"],
    "wrong_restore_partition": ["restore", "--partition", "acme"],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def runner(server, tmp_path):
    shutil.copy(CLI / "kinds.toml", tmp_path / "ratelimits.toml")
    return Runner(tmp_path, STORE_URL=server.url)


def test_one_after_the_other(server, runner, tmp_path):
    store = RedisStore(server.url, 5.0)
    rules = judge(parse((CLI / "kinds.toml").read_text().replace("${STORE_URL}", server.url), "f.toml")).rules
    task_limits = TaskLimits(rules, store)
    for name in ("daily", "recent"):
        limit = rules.named[name]
        bucket = bucket_of(bucket_key("limitkit", limit, None), limit, task_limits.in_force.terms(limit, ""))
        store.take([Take((bucket,))])
    store.take([Take((Bucket("limitkit:{shown}:g1:=acme", 720_000_000, 1),))])
    said = {name: runner.transcript(*arguments) for name, arguments in STEPS.items()}
    store.close()
    for name, text in said.items():
        compare("setting_kinds", name, text, mask=hidden)
    assert "max_running = 5\n" in (tmp_path / "ratelimits.toml").read_text()


def hidden(said):
    """Mask also whether a start was still counted in a window of seconds."""
    return masked_widths(said).replace("0 of 100 counted", "1 of 100 counted")


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_one_line_and_exit_status_2(name, runner):
    said = runner.transcript(*WRONG[name])
    compare("setting_kinds", name, said)
    assert said.count("stderr: ") == 1
    assert said.endswith("exit status 2\n")


def test_no_partition_is_in_the_store_that_may_not_be_shown(server, runner):
    for words in (["set", "tenant", "7/s"], ["set", "shown", "7/s"], ["pause", "tenant"]):
        assert runner.run(*words, "--partition", "hidden\x1b[2J" if "tenant" in words else "seen").returncode == 0
    import redis

    with redis.Redis.from_url(server.url) as client:
        kept = b"".join(b"".join(pair) for pair in client.hgetall("limitkit:{overrides}").items())
    assert b"hidden" not in kept
    assert b"seen" in kept
    assert "\x1b" not in runner.run("status").stdout.decode()
    assert runner.run("restore").returncode == 0


def test_what_another_person_set_for_a_partition_shows_in_json(runner):
    assert runner.run("set", "shown", "7/s", "--partition", "acme").returncode == 0
    assert runner.run("set", "reports", "2").returncode == 0
    report = json.loads(runner.run("status", "--output-format", "json").stdout)
    reports = next(each for each in report["limits"] if each["limit"] == "limits.reports")
    assert (reports["override"]["max_running"], reports["override"]["rate"]) == (2, None)
    assert reports["in_force"]["burst"] == 2
    assert runner.run("restore").returncode == 0


def test_what_was_set_for_a_partition_of_a_limit_that_is_gone_can_be_restored(runner, tmp_path):
    assert runner.run("set", "shown", "7/s", "--partition", "acme").returncode == 0
    assert runner.run("pause", "shown", "--partition", GLOBEX).returncode == 0
    file = tmp_path / "ratelimits.toml"
    file.write_text(file.read_text().replace("limits.shown", "limits.other").replace('"shown"', '"other"'))
    for partition in ("acme", GLOBEX):
        said = runner.run("restore", "shown", "--partition", partition).stdout.decode()
        assert "not in the file any more" in said
    assert "shown" not in runner.run("status").stdout.decode()


def test_each_snapshot_has_its_example():
    assert {file.stem for file in (CLI / "snapshots" / "setting_kinds").glob("*.txt")} == {*STEPS, *WRONG}
