"""A backlog that takes longer than the visibility timeout: the broker must not deliver again what only waits."""

from support.measure import efficiency, excess, promised
from support.servers import RedisServer
from support.sizes import sized
from support.workers import Shop

RATE, SECONDS, VISIBILITY_TIMEOUT = 20, sized(12, 120), sized(6, 10)
TOML = f"""version = 1

[tasks.paid]
strategy = "token_bucket"
rate = "{RATE}/s"
"""


def restore(shop):
    """Do what each worker does from time to time: return what was not acknowledged in time."""
    with shop.app.connection_for_write() as connection:
        connection.default_channel.qos.restore_visible(num=1000, interval=1)


def test_each_message_starts_once(tmp_path):
    conf = {"broker_transport_options": {"visibility_timeout": VISIBILITY_TIMEOUT}}
    with RedisServer(tmp_path) as broker, Shop(tmp_path, broker.url, TOML, **conf) as shop:
        sent = shop.send_many([("paid", ())] * (RATE * SECONDS))
        shop.start_workers(2)
        for count in range(0, len(sent) + 1, RATE // 4):
            shop.wait_for(count)
            restore(shop)
        starts = shop.starts()
        assert sorted(start.id for start in starts) == sorted(sent)
        times = [start.at for start in starts]
        assert excess(times, RATE) <= promised(RATE)
        assert efficiency(times, RATE, 1) >= 0.5
