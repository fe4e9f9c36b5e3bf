"""The clocks of two workers are half a minute apart: only the store's clock, and intervals, count."""

from support.measure import efficiency, excess, promised
from support.servers import RedisServer
from support.workers import ROOT, Shop

RATE, BURST, TOTAL, AHEAD = 50, 5, 200, 30
TOML = f"""version = 1

[tasks.timed]
strategy = "token_bucket"
rate = "{RATE}/s"
burst = {BURST}
"""


def test_limits_hold_and_nobody_waits(tmp_path):
    with RedisServer(tmp_path) as broker, Shop(tmp_path, broker.url, TOML, module="support.fault_app") as shop:
        path = f"{ROOT / 'tests' / 'support' / 'shifted'}:{shop.env['PYTHONPATH']}"
        workers = [
            shop.start_worker(wait=False),
            shop.start_worker(wait=False, env={"PYTHONPATH": path, "CLOCK_AHEAD": str(AHEAD)}),
        ]
        for worker in workers:
            worker.wait_ready()
        sent = shop.send_many([("timed", ())] * TOTAL)
        starts = shop.wait_for(TOTAL)
        assert sorted(start.id for start in starts) == sorted(sent)
        clocks = {worker: {float(s.label) for s in starts if s.worker == worker} for worker in ("w1@test", "w2@test")}
        assert min(clocks["w2@test"]) - max(clocks["w1@test"]) > AHEAD - 1
        times = shop.times("timed")
        assert excess(times, RATE) <= promised(RATE, BURST)
        assert efficiency(times, RATE, BURST) >= 0.2  # who waits for the other's clock does it for half a minute
