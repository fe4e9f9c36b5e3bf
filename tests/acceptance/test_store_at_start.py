"""A worker whose store can't be used when it starts: it refuses what can never work, and says why of all else."""

from contextlib import closing

import redis as redis_py
from support.servers import RedisServer, free_port

STORED = """
version = 1

[store]
url = "{url}"
on_error = "hold"
timeout = "5s"

[tasks."kept.*"]
strategy = "token_bucket"
rate = "10/s"
"""
LOST, NEXT = "The store can't be asked (", "The store still can't be asked, now for another reason ("
THEN = 'until it answers, limited tasks wait (on_error = "hold").'


def test_what_can_never_work_is_refused(make_kept, redis):
    """A database that is not there, and the app's own Redis, whose user may do all but run scripts."""
    with closing(redis_py.Redis.from_url(redis.url)) as client:
        client.execute_command("ACL", "SETUSER", "some", "on", ">hunter2", "~*", "&*", "+@all", "-evalsha")
    numbered = make_kept(STORED.format(url=f"redis://127.0.0.1:{redis.port}/9999"))
    own = make_kept(STORED.replace('url = "{url}"\n', ""))
    own.env["BROKER_URL"] = own.broker_url.replace("://", "://some:hunter2@")
    for shop, said in {
        numbered: "5:7: LK055 store.url: the store can't be used (ResponseError: DB index is out of range), so limited "
        "tasks would start without their shared limits; name a database that the server has, e.g. 0\n",
        own: "1:1: LK055 the app's own Redis, which is the store where store.url is left out, can't be used "
        "(NoPermissionError: ",
    }.items():
        worker = shop.start_worker(wait=False)
        assert worker.wait_stopped() not in (0, None)
        assert f"ratelimits.toml:{said}" in worker.output()
        for word in ("Traceback", "hunter2", "some:", " ready."):
            assert word not in worker.output()


def test_what_may_come_right_is_reported_and_so_is_each_cause(make_kept, tmp_path):
    """Refused, then of a password that the address has not, then there: told before any task has come."""
    port = free_port()
    shop = make_kept(STORED.format(url=f"redis://:hunter2@127.0.0.1:{port}/0"))
    worker = shop.start_worker()
    assert worker.output().count(LOST) == 1
    assert f"Error 111 connecting to 127.0.0.1:{port}. Connection refused.); {THEN}" in worker.output()
    with RedisServer(tmp_path, "--requirepass", "another", port=port) as store:
        worker.wait_for_output(f"{NEXT}AuthenticationError: ")
        with closing(redis_py.Redis.from_url(store.url.replace("://", "://:another@"))) as client:
            client.config_set("requirepass", "hunter2")
        worker.wait_for_output("The store answers again; all limits are in force.")
        assert shop.send("kept.result", 1).get(timeout=20) == 1
    assert worker.output().count(LOST) == worker.output().count(NEXT) == 1
    assert "hunter2" not in worker.output()
