"""Each recipe is a file that is right, is shown whole in docs/recipes.md, and does on a real worker what it promises.

One worker has them all: their limits have different names.
"""

import datetime as dt
import re
import zoneinfo
from collections import Counter

import pytest
from support.commands import Runner, run
from support.measure import JITTER, excess, promised
from support.workers import ROOT, Shop, wait_until

from limitkit import RateLimitManager, load

RECIPES = ROOT / "examples" / "recipes"
FILES = sorted(RECIPES.glob("*.toml"))
PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")


def shown(kind):
    """Return the blocks of one kind in the page."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def all_of_them():
    """Make one file of all recipes: their limits have different names."""
    return "version = 1\n" + "".join(file.read_text(encoding="utf-8").removeprefix("version = 1\n") for file in FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_page_shows_a_file_that_is_right_and_its_task(file):
    text, code = file.read_text(encoding="utf-8"), file.with_suffix(".py").read_text(encoding="utf-8")
    assert text in shown("toml")
    assert any(block in code for block in shown("python"))
    rules = load(file).rules
    for name in (*rules.exact, *(entry.pattern for entry in rules.patterns), *rules.named):
        said = Runner(RECIPES).run("explain", name, "--config", str(file))
        assert (said.returncode, said.stderr) == (0, b"")


def test_the_files_fit_the_tasks(tmp_path):
    (tmp_path / "all.toml").write_text(all_of_them(), encoding="utf-8")
    # In a process of its own: shared tasks are registered in every app of a process.
    env = {"LIMITKIT_CONFIG": str(tmp_path / "all.toml"), "PYTHONPATH": f"{ROOT}:{RECIPES}"}
    said = run(["validate", "--strict", "--app", "recipes"], **env)
    assert (said.returncode, said.stdout, said.stderr.decode()) == (0, b"", f"{tmp_path / 'all.toml'}: fine\n")


def test_all_code_of_the_page_stands_in_a_recipe():
    code = [file.read_text(encoding="utf-8") for file in RECIPES.glob("*.py")]
    assert [block for block in shown("python") if not any(block in each for each in code)] == []


@pytest.fixture(scope="module")
def shop(redis, tmp_path_factory):
    """One worker with the tasks and the limits of all recipes."""
    env = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}:{RECIPES}", "REDIS_URL": redis.url}
    folder = tmp_path_factory.mktemp("recipes")
    with Shop(folder, redis.url, all_of_them(), module="support.recipes_app", env=env) as shop:
        shop.start_worker("-P", "threads", "-Q", "celery,outbox", concurrency=20)
        yield shop


def started(shop, sent):
    """Wait until each of these messages has started; returns when, in order of the starts."""
    return sorted(start.at for start in shop.wait_for_each_once(sent))


def asked(shop, what, **arguments):
    """Ask the worker, as ``celery inspect`` does; returns its answer."""
    (said,) = wait_until(lambda: shop.app.control.broadcast(what, arguments, reply=True, limit=1))
    return said["w1@test"]


def most_at_once(shop, sent):
    """Wait until each of these messages has ended; returns how many ran at once at most, in all and by partner."""
    shop.wait_for_each(f"{result.id}:end" for result in sent)
    ids = {result.id for result in sent}
    most, now = Counter(), Counter()
    for noted in shop.starts():
        if noted.id.partition(":")[0] in ids:
            for who in ("all", noted.label):
                now[who] += -1 if noted.id.endswith(":end") else 1
                most[who] = max(most[who], now[who])
    return most


def test_tokens_are_estimated_and_settled_for_each_account_and_model(shop):
    def ask(*who):
        return shop.send("llm.answer", *who, "x" * 4000)  # estimated as 1500 tokens; 1250 in truth

    busy = [ask("main", "large") for _ in range(4)]
    others = [ask("main", "small"), ask("lab", "large")]
    times = started(shop, busy)
    # 2000 are there, and 1000 come in each second: the others' 3 x 1250, and 1500 for the last one.
    assert times[-1] - times[0] >= (3 * 1250 + 1500 - 2000) / 1000 - JITTER
    assert started(shop, others)[-1] < times[-1]


def test_input_and_output_are_counted_apart(shop):
    def reply(model):
        return shop.send("chat.reply", model, "x" * 8000, 100)  # 2020 tokens to read, 100 to write

    busy, other = [reply("opus") for _ in range(3)], reply("haiku")
    times = started(shop, busy)
    assert times[-1] - times[0] >= (2 * 2000 + 2020 - 5000) / 500 - JITTER
    assert started(shop, [other])[0] < times[-1]


def test_a_daily_quota_counts_operations_until_midnight_there(shop):
    zone = zoneinfo.ZoneInfo("America/Los_Angeles")
    day = dt.datetime.now(zone).date()
    first, second, third = (shop.send("ads.change", ["pause"] * 7000) for _ in range(3))
    started(shop, [first, second])

    def refused():
        return asked(shop, "limitkit_why", task_id=third.id).get("starts_in", 0.0) > 1.0

    wait_until(lambda: refused() or dt.datetime.now(zone).date() != day)
    assert not shop.starts_of(third) or dt.datetime.now(zone).date() != day


def test_points_that_were_not_needed_are_given_back(shop):
    queries = [shop.send("storefront.query", "small.example", "{ orders }", 500) for _ in range(6)]
    times = started(shop, queries)
    # 1000 are there, 50 come in each second. Each query costs 500 at first, and 100 in the end.
    assert times[2] - times[0] >= 0.1 - JITTER  # when the first have been settled
    assert times[-1] - times[0] < (6 * 500 - 1000) / 50 / 2  # 40 s if they were not


def test_recipients_are_counted_by_the_second(shop):
    times = started(shop, [shop.send("mail.send", [f"u{n}@example.org" for n in range(7)], "Hi") for _ in range(7)])
    assert times[-1] - times[0] >= (7 * 7 - promised(14, 14)) / 14


def test_five_reports_run_at_once_and_one_for_each_tenant(shop):
    tenants = ["acme"] * 3 + [f"tenant{number // 2}" for number in range(12)]
    most = most_at_once(shop, [shop.send("reports.sales", tenant, "2026-01") for tenant in tenants])
    assert most == {"all": 5, "acme": 2, **{f"tenant{number}": 1 for number in range(6)}}


def test_receipts_pass_a_campaign_that_came_before_them(shop):
    manager = RateLimitManager(shop.app, load(shop.env["LIMITKIT_CONFIG"]))
    manager.pause("smtp")
    wait_until(lambda: asked(shop, "limitkit_status")["limits"]["smtp"]["source"] == "pause")
    campaign = [shop.send("outbox.campaign", f"u{n}@example.org", queue="outbox") for n in range(100)]
    receipts = [shop.send("outbox.receipt", n, f"u{n}@example.org", queue="outbox") for n in range(20)]
    with shop.app.connection_for_read() as connection:
        wait_until(lambda: not connection.default_channel.client.llen("outbox"))  # all are held, or parked
    manager.resume("smtp")
    mails, last = started(shop, campaign), started(shop, receipts)[-1]
    assert excess([*mails, *started(shop, receipts)], 50) <= promised(50, 5)
    assert sum(at < last for at in mails) < 60  # without turns it is 100


def test_an_hour_of_the_day_has_its_rate(shop):
    rate, burst = rate_of_the_hour()
    times = started(shop, shop.send_many([("erp.sync_order", (number,)) for number in range(12)]))
    if rate_of_the_hour() == (rate, burst):
        assert excess(times, rate) <= promised(rate, burst)
        assert rate == 5 or times[-1] - times[0] < 11 / 5  # which it takes by the day's rate


def rate_of_the_hour():
    now = dt.datetime.now(zoneinfo.ZoneInfo("Europe/Berlin"))
    if now.hour >= 22 or now.hour < 6:
        return 50, 10
    return (20, 1) if now.weekday() >= 5 else (5, 1)
