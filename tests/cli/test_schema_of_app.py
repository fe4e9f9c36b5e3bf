"""``limitkit schema --app``: the schema with the names of an app; what is wrong is the same as by the plain one."""

import json

import pytest
from jsonschema import Draft4Validator
from support.commands import Runner

from limitkit.config import app_schema
from limitkit.config.checks import json_schema

APP = """
import celery
app = celery.Celery("{name}", broker="memory://", set_as_current=False)
app.conf.task_routes = {{"emails.*": {{"queue": "mail"}}, "pdf.*": "paper", "x.*": {{"exchange": "e"}}}}
@app.task(name="shop.charge", shared=False)
def charge(customer, amount=3, *, note="s3cret", **more): ...
@app.task(name="emails.receipt", shared=False, bind=True)
def receipt(self, to): ...
@app.task(name='odd "name"\\n', shared=False)
def odd(*args): ...
"""
FILE = {
    "version": 1,
    "limits": {"tenant": {"strategy": "per_user", "rate": "1/s", "key": "customer.tenant"}},
    "tasks": {
        "shop.charge": {"strategy": "per_user", "rate": "1/s", "key": ["customer", "headers:x"], "cost": 2},
        "emails.receipt": {"limits": ["tenant"], "cost": {"of": "to.length"}},
        "other.task": {"limits": []},
    },
    "queues": {"mail": {"limits": ["tenant"]}, "unknown.*": {"limits": ["tenant"]}},
}
WRONG = [
    ("tasks", "shop.charge", {"strategy": "per_user", "rate": "1/s"}),
    ("tasks", "shop.charge", {"strategy": "static", "rate": "1/s", "brust": 1}),
    ("tasks", "shop.charge", {"strategy": "per_user", "rate": "1/s", "key": "a..b"}),
    ("tasks", "shop.charge", {"strategy": "per_user", "rate": "1/s", "key": 5}),
    ("tasks", "emails.receipt", {"limits": ["tenant"], "cost": 0}),
    ("tasks", "emails.receipt", []),
    ("queues", "mail", {}),
    ("queues", "mail", {"limits": ["tenant"], "rate": "1/s"}),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("schema_of_app")
    (folder / "app_of_schema.py").write_text(APP.format(name="app_of_schema"))
    return folder


@pytest.fixture(scope="module")
def made(project):
    done = Runner(project).run("schema", "-A", "app_of_schema")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def suggested(key):
    return key["anyOf"][0]["enum"]


def test_it_is_draft_4_and_the_same_each_time(made, project):
    Draft4Validator.check_schema(made)
    again = Runner(project).run("schema", "-A", "app_of_schema")
    assert (again.stdout.decode(), again.returncode) == (json_schema.written(made), 0)


def test_all_names_of_the_app_are_in_it(made):
    tasks = made["properties"]["tasks"]["properties"]
    assert [*tasks] == ["emails.receipt", 'odd "name"\n', "shop.charge"]
    for key in ("key", "cost", "fair_by"):
        assert suggested(tasks["shop.charge"]["properties"][key]) == ["customer", "amount", "note"]
        assert suggested(tasks["emails.receipt"]["properties"][key]) == ["to"]
    assert "properties" not in tasks['odd "name"\n']
    assert tasks["shop.charge"]["description"] == "charge(customer, amount=..., *, note=..., **more)"
    assert [*made["properties"]["queues"]["properties"]] == ["celery", "mail", "paper"]
    assert suggested(made["definitions"]["LimitTable"]["properties"]["key"]) == ["amount", "customer", "note", "to"]
    assert "s3cret" not in json.dumps(made)


def test_other_names_stay_allowed(made):
    assert [*Draft4Validator(made).iter_errors(FILE)] == []


@pytest.mark.parametrize(("section", "name", "table"), WRONG)
def test_what_is_wrong_stays_wrong(section, name, table, made):
    data = {**FILE, section: {**FILE[section], name: table}}
    assert [*Draft4Validator(made).iter_errors(data)]
    assert [*Draft4Validator(json_schema.make()).iter_errors(data)]


def test_it_is_written_and_checked(project):
    run = Runner(project).run
    assert run("schema", "-A", "app_of_schema", "-o", "s.json").returncode == 0
    assert run("schema", "-A", "app_of_schema", "--check", "s.json").returncode == 0
    stale = run("schema", "--check", "s.json")
    assert (stale.returncode, stale.stderr.decode()) == (
        1,
        "s.json: stale; write it again: limitkit schema -o s.json\n",
    )
    run("schema", "-o", "s.json")
    stale = run("schema", "-A", "app_of_schema", "--check", "s.json").stderr.decode()
    assert stale == "s.json: stale; write it again: limitkit schema -A app_of_schema -o s.json\n"


def test_an_app_without_tasks_has_the_plain_schema_but_for_its_queue(tmp_path):
    (tmp_path / "app_without_tasks.py").write_text(
        "import celery\napp = celery.Celery('app_without_tasks', set_as_current=False)\n"
    )
    made = json.loads(Runner(tmp_path).run("schema", "-A", "app_without_tasks").stdout)
    assert made["properties"]["tasks"].pop("properties") == {}
    assert [*made["properties"]["queues"].pop("properties")] == ["celery"]
    assert made == json_schema.make()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-A", "no_such_app"], 'the app "no_such_app" can\'t be imported'),
        (["-A", "initapp", "--of", "test"], "leave out --app, or --of test"),
        (["-A", "initapp", "-o", "gone/s.json"], "gone/s.json: No such file or directory"),
    ],
)
def test_what_can_not_be_done(words, said, tmp_path):
    done = Runner(tmp_path).run("schema", *words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert said in done.stderr.decode()


def test_in_a_large_app_it_stays_small(made):
    class Task:
        def run(self, order_id, customer_id, amount=1): ...

    text = app_schema.text({f"shop.task_{number}": Task() for number in range(1000)}, ())
    assert len(text) - len(json_schema.text()) < 2_500_000
