"""An address whose options are found to be fine can be used, with the redis-py that is installed."""

from __future__ import annotations

import inspect
from contextlib import closing

import pytest
import redis
from redis import cluster, connection
from support.tls import TlsLink

from limitkit.config.declared import StoreSettings
from limitkit.config.load import judge
from limitkit.config.model.env_values import Expanded
from limitkit.config.model.store_options import option_fault, usable
from limitkit.config.source.toml import parse
from limitkit.errors import ConfigError, StoreError
from limitkit.stores.choice import open_store
from limitkit.worker.startup_store_check import ask_once

KINDS = (
    redis.Connection,
    redis.SSLConnection,
    connection.UnixDomainSocketConnection,
    redis.ConnectionPool,
    redis.Redis,
    cluster.RedisCluster,
)
NAMES = sorted(
    {name for kind in KINDS for each in kind.__mro__ for name in inspect.signature(each.__init__).parameters}
)
ELSEWHERE = {"host", "port", "path", "db", "username", "password", "self", "args", "kwargs", "url", "connection_kwargs"}
"""Options that lead to another server, or are none."""
VALUES = [
    "x",
    "1",
    "0",
    "-1",
    "true",
    "False",
    "nan",
    "inf",
    "0.5",
    "3",
    "1" * 30,
    "utf-16",
    "latin-1",
    "ignore",
    "a b",
    "",
]


def config(url):
    return judge(parse(f'version = 1\n[store]\nurl = "{url}"\n', "f.toml"))


def fine(url):
    try:
        config(url)
    except ConfigError:
        return False
    return True


def reason(url, timeout=20.0):
    """Ask the store as a worker does before it starts."""
    with closing(open_store(None, StoreSettings(url, "limitkit", timeout, "allow"))) as store:
        return ask_once(store, "limitkit")


@pytest.mark.filterwarnings("ignore:Call to:DeprecationWarning")
@pytest.mark.parametrize("kind", ["server", "sentinels", "cluster"])
def test_what_is_found_to_be_fine_is_fine(kind, request):
    at = request.getfixturevalue(kind).url
    names = [name for name in NAMES if name not in ELSEWHERE and not name.startswith("ssl")]
    if kind == "sentinels":
        names += [f"sentinel_{name}" for name in names]
    tried = 0
    for name in names:
        urls = [f"{at}{'&' if '?' in at else '?'}{name}={value}" for value in VALUES]
        for url in [url for url in urls if fine(url)][:4]:
            tried += 1
            assert reason(url) is None, url
    assert tried > 20


def test_with_tls_too(server, tmp_path):
    with TlsLink(server.port, tmp_path) as link:
        known = f"rediss://127.0.0.1:{link.port}/0?ssl_ca_certs={link.cert}"
        assert fine(known)
        assert reason(known) is None
        for name in [name for name in NAMES if name.startswith("ssl")]:
            for value in VALUES:
                url = f"{known}&{name}={value}"
                if name != "ssl_ca_certs" and fine(url) and not config(url).warnings:
                    found = reason(url)
                    assert found is None or isinstance(found, StoreError), url
                    assert found is None or not found.remedy, url


GOOD = [
    "redis://h/0?db=3&socket_timeout=0.5&socket_connect_timeout=1&health_check_interval=30&max_connections=5",
    "redis://h?client_name=a&socket_keepalive=yes&retry_on_timeout=true&encoding=latin-1&encoding_errors=replace",
    "redis://h?username=me&password=p%20w",
    "redis://h?socket_timeout=",
    "rediss://h?ssl_cert_reqs=none&ssl_check_hostname=false",
    "unix:///run/redis.sock?db=1&password=pw",
    "sentinel://:pw@a,b/0?master=m&sentinel_password=x&sentinel_ssl=true&sentinel_ssl_cert_reqs=none&socket_timeout=2",
    "sentinel://a/0?master=m&ssl=true&ssl_cert_reqs=none",
    "redis+cluster://a,b?ssl=true&ssl_cert_reqs=none&socket_timeout=2",
]
SHORT = {
    "NO TLS": "is for TLS, which is not spoken with this address",
    "NONE": "is no option of the redis-py that is installed",
    "UNUSABLE": "can't be used",
}
BAD = {
    "redis://h?socket_timout=1": '"socket_timout" NONE; did you mean "socket_timeout"?',
    "redis://h?Socket_Timeout=1": '"Socket_Timeout" NONE; did you mean "socket_timeout"?',
    "redis://h?timeout=1": '"timeout" NONE; take it out',
    "redis://h?retry=3": '"retry" can\'t be said in an address; take it out',
    "redis://h?retry_on_error=TimeoutError": '"retry_on_error" can\'t be said in an address; take it out',
    "redis://h?connection_class=x": '"connection_class" NONE; take it out',
    "redis://h?db=x": "the value of db UNUSABLE; write the number of a database, e.g. 0",
    "redis://h?health_check_interval=abc": "the value of health_check_interval UNUSABLE; write whole seconds, e.g. 30",
    "redis://h?protocol=9": "the value of protocol UNUSABLE; write 2 or 3",
    "redis://h?encoding=utf-16": "the value of encoding UNUSABLE; write the name of one that has "
    "ASCII in it, e.g. utf-8",
    "redis://h?socket_timeout=nan": "the value of socket_timeout UNUSABLE; write seconds, above 0 and up to 86400",
    "redis://h?socket_timeout=1e9": "the value of socket_timeout UNUSABLE; write seconds, above 0 and up to 86400",
    "redis://h?socket_timeout=0": "the value of socket_timeout UNUSABLE; write seconds, above 0 and up to 86400",
    "redis://h?socket_keepalive=on": "the value of socket_keepalive UNUSABLE; write true or false",
    "redis://h?max_connections=0": "the value of max_connections UNUSABLE; write a whole number from 1 on",
    "redis://h?ssl=true": "ssl NO TLS; write rediss:// for TLS, or take it out",
    "redis://h?ssl_cert_reqs=none": "ssl_cert_reqs NO TLS; write rediss:// for TLS, or take it out",
    "unix:///run/redis.sock?host=h": '"host" NONE; take it out',
    "rediss://h?ssl_cert_reqs=yes": "the value of ssl_cert_reqs UNUSABLE; write none, optional or required",
    "rediss://h?ssl_keyfile=/key.pem": "ssl_keyfile has no certificate beside it; name it by ssl_certfile",
    "rediss://h?ssl_ciphers=none": "the value of ssl_ciphers UNUSABLE; write ciphers as OpenSSL names them",
    "sentinel://a/0?master=m&ssl_cert_reqs=none": "ssl_cert_reqs NO TLS; write ssl=true for TLS, or take it out",
    "sentinel://a/0?master=m&sentinel_ssk=true": '"sentinel_ssk" NONE; did you mean "sentinel_ssl"?',
    "sentinel://a/0?master=m&sentinel_db=x": "the value of sentinel_db UNUSABLE; write the number of "
    "a database, e.g. 0",
    "redis+cluster://a?socket_timout=1": '"socket_timout" NONE; did you mean "socket_timeout"?',
    "redis+cluster://a?read_from_replicas=true": '"read_from_replicas" can\'t be said in an address; take it out',
}


@pytest.mark.parametrize("url", GOOD)
def test_options_that_can_be_used(url):
    assert option_fault(Expanded.of(url)) is None


LATER = {"protocol", "ssl_ciphers"}
"""What older versions of redis-py do not have at all."""


@pytest.mark.parametrize("url", [url for url in BAD if not any(f"?{name}=" in url for name in LATER - {*NAMES})])
def test_options_that_cannot_be_used_have_a_place_and_a_remedy(url):
    with pytest.raises(ConfigError) as caught:
        config(url)
    said = BAD[url]
    for short, long in SHORT.items():
        said = said.replace(short, long)
    assert str(caught.value) == f"f.toml:3:7: LK054 store.url: {said}"


def test_of_an_app_s_own_broker_what_is_not_for_redis_py_is_left_out():
    url = "redis://:p%40w@h:1/2?visibility_timeout=5&socket_timeout=1&a=b&health_check_interval=x&client_name=c"
    kept = usable(Expanded.of(url))
    assert kept.plain() == "redis://:p%40w@h:1/2?socket_timeout=1&client_name=c"
    assert str(kept) == "redis://**@h:1/2?socket_timeout=1&client_name=c"


@pytest.mark.parametrize("name", ["ssl_ca_certs", "ssl_ca_path", "ssl_certfile"])
@pytest.mark.parametrize("path", ["none", "n" * 5_000, "none/" * 500, "%FF"], ids=["one", "long", "deep", "no text"])
def test_files_that_are_not_here_are_warned_of(name, path, tmp_path):
    (warning,) = config(f"rediss://h?{name}={tmp_path}/{path}").warnings
    kind = "folder" if name == "ssl_ca_path" else "file"
    assert warning.message == (
        f"store.url: the {kind} that {name} names is not on this machine, so TLS can't be spoken; "
        "put it there, or name another"
    )
    assert (warning.code, warning.severity) == ("LK056", "warning")


def test_files_that_are_no_certificates_are_warned_of(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    (warning,) = config(f"rediss://h?ssl_ca_certs={tmp_path}/ca.pem").warnings
    assert "what ssl_ca_certs names can't be used as a certificate" in warning.message
