"""Why a store can't be asked is said by its cause, without secrets; what can never work is told from what may."""

from __future__ import annotations

import http.server
import logging
import socketserver
import threading
from contextlib import closing

import pytest
import redis
from support.servers import RedisServer, free_port
from support.tls import TlsLink

from limitkit.config.declared import StoreSettings
from limitkit.config.load import judge
from limitkit.config.model.store_url import expand
from limitkit.config.source.toml import parse
from limitkit.errors import StoreError
from limitkit.stores.choice import open_store
from limitkit.stores.outage import Outage
from limitkit.worker.startup_store_check import ask_once, unusable

RIGHTS = "give its user the rights that docs/store.md lists"
ENV = {"USER_NAME": "janeSECRET", "PASSWORD": "hunter2SECRET", "HOST": "no.such.SECRET.invalid"}
RUN = ["+evalsha", "+script|load", "+get", "+time"]


def reason(url, timeout=20.0):
    """Ask the store as a worker does before it starts; nothing that is said shows a secret."""
    with closing(open_store(None, StoreSettings(expand(url, ENV), "limitkit", timeout, "allow"))) as store:
        found = ask_once(store, "limitkit")
    assert found is not None
    assert "SECRET" not in str(found) + repr(found) + str(found.__cause__)
    return found


@pytest.fixture(scope="module")
def users(admin):
    admin.execute_command("ACL", "SETUSER", "janeSECRET", "on", ">hunter2SECRET", "~limitkit:*", "+get")
    admin.execute_command("ACL", "SETUSER", "runs", "on", ">pw", "~limitkit:*", *RUN)
    admin.execute_command("ACL", "SETUSER", "elsewhere", "on", ">pw", "~other:*", "+@all")
    return admin


@pytest.mark.parametrize(
    ("url", "said", "remedy"),
    [
        ("redis://${USER_NAME}:${PASSWORD}@{at}/0", "no permissions to run the 'evalsha' command", RIGHTS),
        ("redis://runs:pw@{at}/0", "can't run this command", RIGHTS),
        ("redis://elsewhere:pw@{at}/0", "no permissions to access one of the keys", RIGHTS),
        ("redis://{at}/9999", "DB index is out of range", "name a database that the server has, e.g. 0"),
        ("redis+cluster://{at}", "Cluster mode is not enabled", "write redis:// in place of redis+cluster://"),
        ("sentinel://{at}/0?master=m", "SENTINEL", "name the sentinels, or write redis:// in place of sentinel://"),
    ],
)
def test_what_can_never_work_has_a_remedy(users, server, url, said, remedy):
    found = reason(url.replace("{at}", f"127.0.0.1:{server.port}"))
    assert said in str(found)
    assert found.remedy == remedy


def test_a_node_of_a_cluster_is_no_server_by_itself(cluster):
    found = reason(f"redis://127.0.0.1:{cluster.masters[-1].port}/0")
    assert found.remedy == "write redis+cluster:// in place of redis://"


def test_what_is_no_redis_at_all(server, tmp_path):
    class Page(http.server.BaseHTTPRequestHandler):
        def handle(self):
            self.request.recv(1)
            self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with http.server.HTTPServer(("127.0.0.1", 0), Page) as page:
        threading.Thread(target=page.serve_forever, daemon=True).start()
        for scheme in ("redis", "rediss"):
            assert "name the address of a Redis" in reason(f"{scheme}://127.0.0.1:{page.server_port}/0").remedy
        page.shutdown()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://${USER_NAME}:wrongSECRET@{at}/0", "AuthenticationError: "),
        ("redis://127.0.0.1:{closed}/0", "Connection refused"),
        ("sentinel://:${PASSWORD}@127.0.0.1:{closed}/0?master=m", "No master found for 'm'"),
        ("redis+cluster://:${PASSWORD}@127.0.0.1:{closed}", "Connection refused"),
        ("redis://${HOST}/0", "connecting to ${HOST}:6379"),
        # redis-py 4.5.2 can't open a socket at all.
        *[("unix:///no/such.sock", "No such file or directory")]
        * (tuple(map(int, redis.__version__.split(".")[:3])) > (4, 5, 2)),
        ("rediss://{at}/0", "a server that speaks no TLS does not answer rediss://"),
    ],
)
def test_what_may_come_right_by_itself_has_none(users, server, url, said):
    url = url.replace("{at}", f"127.0.0.1:{server.port}").replace("{closed}", str(free_port()))
    found = reason(url, 0.5 if "rediss" in url else 20.0)
    assert said in str(found)
    assert found.remedy == ""


def test_a_password_that_is_asked_for_a_replica_and_full_memory_may_come_right(tmp_path):
    with RedisServer(tmp_path, "--requirepass", "pw") as server:
        assert str(reason(server.url)) == "AuthenticationError: Authentication required."
        at = server.url.replace("://", "://:pw@")
        for settings in (("replicaof", "127.0.0.1 1"), ("maxmemory", "1")):
            with closing(open_store(None, StoreSettings(at, "limitkit", 5.0, "allow"))) as store:
                client = store.store._make_client()
                client.config_set(*settings) if settings[0] == "maxmemory" else client.replicaof("127.0.0.1", "1")
                found = ask_once(store, "limitkit")
                assert found.remedy == "", str(found)
                client.replicaof("NO", "ONE")
                client.close()


def test_a_certificate_that_is_not_trusted_is_named(server, tmp_path):
    with TlsLink(server.port, tmp_path) as link:
        found = reason(f"rediss://127.0.0.1:{link.port}/0")
        assert "CERTIFICATE_VERIFY_FAILED" in str(found)
        assert found.remedy == ""


def test_a_store_that_can_be_asked_keeps_nothing_of_it(server, admin):
    with closing(open_store(None, StoreSettings(server.url, "asked", 5.0, "allow"))) as store:
        assert ask_once(store, "asked") is None
    assert 0 < admin.pttl("asked:{start}:g1") <= 1001


@pytest.mark.parametrize(
    ("store", "place", "whose"),
    [
        ('[store]\nurl = "redis://u:SECRET@h"\n', "3:7: LK055 store.url: the store can't", ""),
        ("", "1:1: LK055 the app's own Redis, which is the store where store.url is left out, can't", ""),
    ],
)
def test_how_a_worker_says_that_it_can_never_work(store, place, whose):
    error = StoreError("NoPermissionError: no.")
    error.remedy = "do this"
    problem = unusable(judge(parse(f"version = 1\n{store}", "f.toml")), error)
    said = "be used (NoPermissionError: no), so limited tasks would start without their shared limits; do this"
    assert str(problem) == f"f.toml:{place} {said}"


# -- while it is gone -------------------------------------------------------------------------------------------------


@pytest.fixture
def told(caplog):
    caplog.set_level(logging.INFO, "limitkit")

    def told():
        said = [message.split(";")[0] for message in caplog.messages]
        caplog.clear()
        return said

    return told


FIRST = "The store can't be asked"
NEXT = "The store still can't be asked, now for another reason"
BACK = "The store answers again"


def test_each_cause_of_an_outage_is_said_once(told):
    outage = Outage()
    refused, wrong = (
        StoreError("ConnectionError: Error 111 connecting to h:1234"),
        StoreError("AuthenticationError: no"),
    )
    for error in (
        refused,
        refused,
        StoreError("ConnectionError: Error 111 connecting to h:4321"),
        wrong,
        refused,
        wrong,
    ):
        outage.lost(error, ("allow",))
    assert told() == [f"{FIRST} ({refused})", f"{NEXT} ({wrong})"]
    for number in range(100):
        outage.lost(StoreError(f"Error{'x' * number}"), ("allow",))
    assert len(told()) < 10, "nobody reads a hundred"
    outage.over(0.25)
    outage.over(0.25)
    assert told() == [BACK]
    outage.lost(wrong, ("hold",))
    assert told() == [f"{FIRST} ({wrong})"]


def test_who_only_looks_does_not_say_that_what_refuses_is_back(told):
    outage, error = Outage(), StoreError("ConnectionError: no")
    outage.out_of_sight(error, ("allow",))
    assert not outage.recent
    outage.in_sight()
    assert told() == [f"{FIRST} ({error})", BACK]
    outage.out_of_sight(error, ("allow",))
    outage.lost(error, ("allow",))
    outage.in_sight()
    assert outage.recent
    assert told() == [f"{FIRST} ({error})"]
    outage.over(0.25)
    assert told() == [BACK]


def test_a_process_that_is_forked_finds_out_by_itself(told, monkeypatch):
    outage, error = Outage(), StoreError("ConnectionError: no")
    outage.lost(error, ("allow",))
    monkeypatch.setattr("os.getpid", lambda: -1)
    outage.over(0.25)
    assert not outage.recent
    outage.lost(error, ("allow",))
    assert told() == [f"{FIRST} ({error})"] * 2


@pytest.mark.parametrize("scheme", ["redis://{at}", "sentinel://{at}/0?master=m", "redis+cluster://{at}"])
@pytest.mark.parametrize("reply", [b":1\r\n", b"*0\r\n", b"*1\r\n*1\r\n:1\r\n", b"$nan\r\n", b"*1\r\n" * 5_000])
def test_what_answers_and_is_no_redis(scheme, reply):
    """Its answers have a shape that no script's has: that must not pass for a fault of limitkit's own."""

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            while self.request.recv(65536):
                self.request.sendall(reply)

    with Server(("127.0.0.1", 0), Handler) as there:
        thread = threading.Thread(target=there.serve_forever)
        thread.start()
        try:
            found = reason(scheme.replace("{at}", f"127.0.0.1:{there.server_address[1]}"))
        finally:
            there.shutdown()
            thread.join()
    assert isinstance(found, StoreError)
    if scheme.startswith("redis://"):  # of some of these the other clients say only that they can't connect
        assert found.remedy == "check the options of the address, and what listens there"
