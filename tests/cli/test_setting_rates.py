"""What the commands say that set rates at run time, on a real Redis, without an app or a worker."""

import json
import shutil
import stat
from pathlib import Path

import pytest
import redis
from support.commands import CLI, Runner, compare
from support.servers import RedisServer, free_port

from limitkit.buckets.decision import Bucket, Take
from limitkit.stores.redis import RedisStore

STEPS = {
    "set": ["set", "stripe_api", "10/s", "--for", "2h", "--reason", "429s", "--by", "eve"],
    "set_burst": ["set", "stripe_api", "12/s", "--burst", "20", "--by", "eve"],
    "promote": ["promote", "stripe_api"],
    "reduce": ["reduce", "0.5", "--for", "1h", "--by", "ann"],
    "pause": ["pause", "reports", "--reason", "disk is full", "--by", "ann"],
    "status_store": ["status"],
    "promote_paused": ["promote", "push.send"],
    "resume": ["resume", "reports"],
    "resume_not_paused": ["resume", "reports"],
    "set_one_of_a_pattern": ["set", "push.send", "3/s", "--by", "eve"],
    "restore_one_of_a_pattern": ["restore", "push.send"],
    "restore_limit": ["restore", "stripe_api"],
    "restore": ["restore"],
    "restore_nothing": ["restore"],
    "reset_partition": ["reset", "shop.user_api_request", "--partition", "42"],
    "reset": ["reset", "shop.user_api_request"],
    "reset_full": ["reset", "stripe_api"],
}
"""In this order: what one has set, the next one finds."""

WRONG = {
    "wrong_name": ["set", "stripe_apy", "10/s"],
    "wrong_rate": ["set", "stripe_api", "10/sec"],
    "wrong_rate_zero": ["set", "stripe_api", "0/s"],
    "wrong_burst": ["set", "stripe_api", "10/s", "--burst", "many"],
    "wrong_time": ["pause", "reports", "--for", "two hours"],
    "wrong_worker": ["set", "stripe_api", "10/s", "--worker", "w1@test"],
    "wrong_reason": ["pause", "reports", "--reason", "x" * 501],
    "wrong_factor": ["reduce", "half"],
    "wrong_factor_zero": ["reduce", "0"],
    "wrong_restore": ["restore", "stripe_apy"],
    "wrong_partition": ["reset", "stripe_api", "--partition", "42"],
    "wrong_pattern": ["reset", "push.*"],
    "wrong_promote": ["promote", "reports"],
    "wrong_status": ["status", "nobody"],
    "no_app_drift": ["drift"],
    "no_app_reload": ["reload"],
    "no_app_why": ["why", "some-id"],
    "bad_config": ["set", "stripe_api", "10/s", "--config", "bad.toml"],
    "no_config": ["status", "--config", "gone.toml"],
    "no_store": ["pause", "reports", "--config", "without_store.toml"],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def folder(tmp_path):
    text = (CLI / "running.toml").read_text()
    (tmp_path / "without_store.toml").write_text(text)
    (tmp_path / "bad.toml").write_text(text.replace("25/s", "25/sec"))
    (tmp_path / "ratelimits.toml").write_text(f'{text}\n[store]\nurl = "${{STORE_URL}}"\n')
    return tmp_path


@pytest.fixture
def runner(server, folder):
    return Runner(folder, STORE_URL=server.url)


def test_one_after_the_other(server, runner, folder):
    store = RedisStore(server.url, 5.0)
    for user in ("42", "43"):
        key = f"limitkit:{{task=shop.user_api_request}}:g1:{_digest(user)}"
        store.take([Take((Bucket(key, 720_000_000, 1),))])
    said = {name: runner.transcript(*arguments) for name, arguments in STEPS.items()}
    store.close()
    for name, text in said.items():
        compare("setting", name, text)
    assert 'rate = "12/s"  # their quota\nburst = 20\n' in (folder / "ratelimits.toml").read_text()


def _digest(text):
    from limitkit.buckets.partition import Partition, canonical

    return Partition(canonical(text)).digest


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_one_line_and_exit_status_2(name, runner):
    said = runner.transcript(*WRONG[name])
    compare("setting", name, said)
    assert said.count("stderr: ") == 1
    assert said.endswith("exit status 2\n") or name == "bad_config"


@pytest.mark.parametrize("words", [["set", "stripe_api", "10/s"], ["status"], ["promote", "reports"]])
def test_a_store_that_is_away(words, runner):
    port = free_port()
    runner.environ["STORE_URL"] = f"redis://:s3cret@127.0.0.1:{port}/0"
    done = runner.run(*words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"limitkit: the store can't be asked: ConnectionError: ")
    assert done.stderr.endswith(b"; start it, or fix its address: [store] url\n")
    assert b"s3cret" not in done.stderr


def test_the_tokens_are_those_of_now_at_the_rate_in_force(server, runner):
    assert runner.run("set", "reports", "1/h", "--burst", "10").returncode == 0
    store = RedisStore(server.url, 5.0)
    bucket = Bucket("limitkit:{reports}:g1", 3_600_000_000, 10)
    store.take([Take((bucket,), count=4, ready=4)])
    assert 6.0 <= _limit(runner, "limits.reports")["tokens"] < 6.2
    assert runner.run("pause", "reports").returncode == 0
    assert 6.0 <= _limit(runner, "limits.reports")["tokens"] < 6.2
    assert runner.run("reset", "reports").returncode == 0
    assert _limit(runner, "limits.reports")["tokens"] == 10.0
    assert runner.run("restore").returncode == 0
    store.close()


def _limit(runner, name):
    done = runner.run("status", "--output-format", "json")
    return next(each for each in json.loads(done.stdout)["limits"] if each["limit"] == name)


def test_what_was_promoted_is_still_to_be_restored(runner):
    for words in (["set", "reports", "7/h"], ["promote", "reports"]):
        assert runner.run(*words).returncode == 0
    assert _limit(runner, "limits.reports")["in_force"]["source"] == "override"
    assert b"limits.reports  7/h, burst 1  7/h, burst 1\n" in runner.run("restore", "reports").stdout
    assert runner.run("restore", "reports").stdout == b"reports has no override now.\n"


def test_promote_writes_where_a_link_leads_and_keeps_the_mode(runner, folder):
    (folder / "deep").mkdir()
    real = folder / "deep" / "real.toml"
    shutil.move(folder / "ratelimits.toml", real)
    real.chmod(0o640)
    (folder / "ratelimits.toml").symlink_to(Path("deep") / "real.toml")
    assert runner.run("set", "reports", "7/h").returncode == 0
    assert runner.run("promote", "reports").returncode == 0
    assert runner.run("restore").returncode == 0
    assert 'rate = "7/h"' in real.read_text()
    assert (folder / "ratelimits.toml").is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert [path.name for path in real.parent.iterdir()] == ["real.toml"]


def test_what_is_set_for_a_limit_that_the_file_has_no_more_can_be_seen_and_restored(runner, folder):
    assert runner.run("set", "reports", "7/h", "--by", "eve").returncode == 0
    file = folder / "ratelimits.toml"
    file.write_text(file.read_text().replace("reports]", "exports]").replace('["reports"]', '["exports"]'))
    gone = "limits.reports: 7/h was set, by eve, and the file has no such limit in force; limitkit restore reports."
    assert gone in runner.run("status").stdout.decode()
    assert "limits.reports  7/h" in runner.run("restore", "reports").stdout.decode()
    assert gone not in runner.run("status").stdout.decode()


def test_two_hundred_limits_can_be_read(runner, folder):
    file = folder / "ratelimits.toml"
    more = "".join(f'[tasks."more.{number:03}"]\nstrategy = "static"\nrate = "1/s"\n' for number in range(200))
    file.write_text(file.read_text() + more)
    assert runner.run("pause", "more.150", "--by", "eve").returncode == 0
    lines = runner.run("status").stdout.decode().splitlines()
    assert [line.split()[0] for line in lines[3:]] == ["tasks.more.150", "And"]
    assert lines[-1] == "And 203 limits with nothing going on, as declared; --all shows them."
    assert len(runner.run("status", "--all").stdout.decode().splitlines()) == 3 + 204
    assert runner.run("restore").returncode == 0


def test_a_broker_whose_waiting_room_can_t_be_listed(runner):
    runner.environ |= {"BROKER_URL": "memory://", "LIMITS_FILE": "ratelimits.toml"}
    said = runner.transcript("status", "reports", "-A", "runningapp")
    compare("setting", "status_other_broker", said)
    nobody = runner.run("why", "some-id", "-A", "runningapp")
    assert (nobody.returncode, nobody.stdout) == (1, b"")
    assert nobody.stderr.endswith(b"parked in their own queue, with an ETA, which can't be looked through\n")


def test_a_broker_that_is_away(runner):
    port = free_port()
    runner.environ |= {"BROKER_URL": f"redis://:s3cret@127.0.0.1:{port}/0", "LIMITS_FILE": "ratelimits.toml"}
    done = runner.run("status", "-A", "runningapp")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(f"limitkit: the broker redis://**@127.0.0.1:{port}/0 can't be asked: ".encode())


def test_nothing_is_left_in_the_store(server, runner):
    assert runner.run("restore").returncode == 0
    with redis.Redis.from_url(server.url) as client:
        assert set(client.hkeys("limitkit:{overrides}")) <= {b"#"}


def test_each_snapshot_has_its_example():
    assert {file.stem for file in (CLI / "snapshots" / "setting").glob("*.txt")} == {
        *STEPS,
        *WRONG,
        "status_other_broker",
    }
