"""Which waiting room fits a broker is told by the class of kombu's transport, whatever that calls itself."""

import subprocess
import sys

import pytest
from kombu import Connection
from kombu.transport import pyamqp, virtual
from kombu.transport import redis as of_redis

from limitkit.waiting.choose_room import longest_hold
from limitkit.waiting.room_names import OTHER, RABBITMQ, REDIS, kind_of_transport


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("redis://", REDIS),
        ("rediss://?ssl_cert_reqs=none", REDIS),
        ("sentinel://", REDIS),
        ("amqp://", RABBITMQ),
        ("amqps://", RABBITMQ),
        ("pyamqp://", RABBITMQ),
        ("memory://", OTHER),
        ("filesystem://", OTHER),
    ],
)
def test_the_transports_of_kombu(url, kind):
    assert kind_of_transport(Connection(url).transport) == kind


class SaysRedis(virtual.Transport):
    driver_type = "redis"


class SaysAMQP(virtual.Transport):
    driver_type = "amqp"


class OtherAddress(of_redis.Channel):
    def _connparams(self, **options):
        return super()._connparams(**options)


class SortedSets(of_redis.Channel):
    def _put(self, queue, message, **kwargs):
        raise NotImplementedError


class OtherAcknowledging(of_redis.Channel):
    class QoS(of_redis.QoS):
        pass


def transport(channel):
    return type("Transport", (of_redis.Transport,), {"Channel": channel})


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (SaysRedis, OTHER),
        (SaysAMQP, OTHER),
        (transport(OtherAddress), REDIS),
        (transport(SortedSets), OTHER),
        (transport(OtherAcknowledging), OTHER),
        (type("Transport", (pyamqp.Transport,), {"driver_type": "own"}), RABBITMQ),
    ],
    ids=["says redis", "says amqp", "other address", "sorted sets", "other acknowledging", "says own"],
)
def test_those_of_others_are_told_by_what_they_are(given, kind):
    assert kind_of_transport(Connection("memory://", transport=given).transport) == kind


def test_redis_is_not_imported_to_find_out():
    code = """
import sys
from kombu import Connection
from limitkit.waiting.room_names import kind_of_transport
kind_of_transport(Connection("memory://").transport)
sys.exit("redis" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_request_is_held_as_long_as_its_own_broker_allows():
    class Channel(virtual.Channel):
        visibility_timeout = 300

    class Consumer:
        connection = Connection("memory://", transport=type("Transport", (virtual.Transport,), {"Channel": Channel}))

    assert longest_hold(Consumer) == 75
    Consumer.connection = Connection("memory://")
    assert longest_hold(Consumer) == 900
