"""Imports go one way, and each outside package has one door."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "limitkit"

LAYERS = {
    "words and numbers": [
        "errors",
        "nearest",
        "wording",
        "plainlog",
        "expanded",
        "likely",
        "units",
        "ports",
        "decision",
        "patterns",
        "slowdown",
        "override",
        "moments",
    ],
    "arithmetic": ["yielding", "bucket"],
    "what may stand in a file": [
        "storeurl",
        "stores",
        "stores.options",
        "crossing",
        "scalar",
        "fields",
        "feedbackfields",
        "model",
    ],
    "from text to rules": [
        "places",
        "contents",
        "syntax",
        "source",
        "unquoted",
        "synonyms",
        "keywords",
        "shape",
        "schema",
        "variables",
        "meaning",
        "declared",
        "rules",
        "config",
        "amend",
    ],
    "rules and messages": ["valuetext", "partition", "nativelimit", "appcheck"],
    "what is told": ["events", "relay"],
    "stores": [
        "stores.board",
        "stores.memoryboard",
        "stores.memory",
        "stores.script",
        "stores.reason",
        "stores.breaker",
        "stores.aside",
        "stores.sentinel",
        "stores.redis",
        "stores.cluster",
        "storechoice",
    ],
    "what is in force": [
        "targets",
        "inforce",
        "current",
        "standing",
        "headcount",
        "outage",
        "live",
        "lookout",
        "reload",
    ],
    "in the worker": [
        "ticket",
        "tracing",
        "lane",
        "window",
        "flow",
        "recovery",
        "asking",
        "tokens",
        "revoked",
        "routes",
        "waiting",
        "waiting.room",
        "delivery",
        "waiting.copies",
        "precedence",
        "rivals",
        "processes",
        "line",
        "agenda",
        "lanes",
        "shares",
        "waiting.backlog",
        "waiting.bounds",
        "waiting.demand",
        "answers",
        "fleet",
        "recent",
        "view",
        "waiting.kinds",
        "waiting.rediskeys",
        "waiting.redisroom",
        "waiting.away",
        "waiting.publishing",
        "waiting.publisher",
        "waiting.ttlroom",
        "waiting.etaroom",
        "waiting.rooms",
        "waiting.census",
        "waiting.purging",
        "waiting.queued",
        "waiting.owners",
        "waiting.draining",
        "waiting.parking",
        "telling",
        "handover",
        "impatience",
        "shadow",
        "alone",
        "scaling",
        "retryafter",
        "sendback",
        "heeding",
        "guard",
        "unpaced",
        "dials",
        "turns",
        "pacer",
        "runs",
        "passing",
        "refusal",
        "storecheck",
        "startline",
        "accepted",
        "reconnect",
        "report",
        "upkeep",
    ],
    "what is seen": [
        "signals",
        "httpd",
        "metrics.families",
        "metrics.numbers",
        "metrics",
        "metrics.counting",
        "metrics.reading",
        "metrics.listening",
        "metrics.serving",
        "metrics.cluster",
        "metrics.page",
        "starts",
        "watching",
    ],
    "wiring": ["namesake", "installation", "installcheck", "step", "remote", "wiring", "asked", "manager", "limitkit"],
    "demo": ["embedded", "demo", "demo.app", "demo.figures", "demo.stopping", "demo.run", "demo.picture", "demo.serve"],
    "command line": [
        "cli.output",
        "cli.fitting",
        "cli.options",
        "cli.inuse",
        "cli.parked",
        "cli.managed",
        "cli.changes",
        "cli.survey",
        "cli.gather",
        "cli.running",
        "cli.looking",
        "cli.deviations",
        "cli.pace",
        "cli.picture",
        "cli.validate",
        "cli.terms",
        "cli.shares",
        "cli.explain",
        "cli.schema",
        "cli.demo",
        "cli.waiting",
        "cli.purge",
        "cli.set",
        "cli.reduce",
        "cli.restore",
        "cli.pause",
        "cli.resume",
        "cli.reset",
        "cli.status",
        "cli.top",
        "cli.reload",
        "cli.drift",
        "cli.promote",
        "cli.why",
        "cli.exporter",
        "cli",
        "__main__",
    ],
}
"""Lowest first. A module imports only what stands before it; for types alone, also what stands in its own layer."""

DOORS = {
    "pydantic": {"fields", "feedbackfields", "model", "answers"},
    "pydantic_core": {"fields", "feedbackfields", "model"},
    "tomli": {"source", "places"},
    "tomlkit": {"amend"},
    "tree_sitter": {"places"},
    "tree_sitter_toml": {"places"},
    "jsonschema": {"schema"},
    "regex": {"patterns"},
    "kombu": {"fleet", "routes", "reconnect", "waiting.copies", "waiting.publishing", "waiting.redisroom"},
    "redis": {"stores.options", "stores.sentinel", "stores.redis", "stores.cluster", "waiting.rediskeys"},
    "celery": {
        *(
            "tracing",
            "runs",
            "passing",
            "window",
            "waiting.parking",
            "impatience",
            "revoked",
            "scaling",
            "handover",
            "heeding",
            "guard",
            "dials",
            "pacer",
            "refusal",
            "storecheck",
            "reconnect",
        ),  # the worker's modules
        "signals",
        "step",
        "remote",
        "wiring",
        "demo.app",
        "cli.options",  # finds the app that --app names
    },
    "prometheus_client": {"metrics.numbers", "metrics.serving", "watching", "cli.exporter"},
    "click": set(LAYERS["command line"]),
    "rich": {"cli.output", "cli.fitting", "cli.demo", "cli.top"},
}
"""Who may import a package from outside."""

ORDER = [name for names in LAYERS.values() for name in names]
LAYER = {name: number for number, names in enumerate(LAYERS.values()) for name in names}
FILES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip(".") or "limitkit": path
    for path in PACKAGE.rglob("*.py")
}


def imports(name):
    """Yield (what is imported, whether for types alone), wherever in the module it stands."""
    todo = [(ast.parse(FILES[name].read_text(encoding="utf-8")), False)]
    while todo:
        node, typing = todo.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            typing = True
        if isinstance(node, ast.Import):
            yield from ((alias.name, typing) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name} imports relatively"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield (inner if inner.removeprefix("limitkit.") in FILES else node.module), typing
        todo.extend((child, typing) for child in ast.iter_child_nodes(node))


def inner(imported):
    """Name a module of ours as the layers do; None for others."""
    return imported.removeprefix("limitkit.") if imported.split(".")[0] == "limitkit" else None


def test_every_module_has_its_place():
    assert sorted(ORDER) == sorted(FILES), "say in LAYERS where a new module stands"


@pytest.mark.parametrize("name", ORDER)
def test_imports_go_one_way(name):
    for imported, typing in imports(name):
        ours = inner(imported)
        if ours is None or (name.split(".")[0] == "cli" and ours == "limitkit"):
            continue
        if typing and name != "limitkit":
            assert LAYER[ours] <= LAYER[name], f"{name} names a type of {ours}, which stands above it"
        else:
            assert ORDER.index(ours) < ORDER.index(name), f"{name} imports {ours}, which stands above it"


@pytest.mark.parametrize("name", ORDER)
def test_each_outside_package_has_one_door(name):
    for imported, typing in imports(name):
        package = imported.split(".")[0]
        if package == "limitkit" or package in sys.stdlib_module_names or typing:
            continue
        assert name in DOORS.get(package, ()), f"{name} imports {package}, which is not its to import"


def test_only_tasks_and_workers_need_celery_and_redis():
    """Judging a file takes neither: ``limitkit validate`` is quick, and runs where there is no app."""
    code = (
        "import sys; from limitkit.cli import COMMANDS, limitkit\n"
        "for name in COMMANDS: limitkit.get_command(None, name)\n"
        "from limitkit.config import judge; from limitkit.source import parse; judge(parse(b'version = 1', '-'))\n"
        "print(*{'celery', 'kombu', 'redis', 'prometheus_client'} & {*sys.modules})"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "\n"


@pytest.mark.parametrize(("url", "wanted"), [("redis://:pw@localhost:6379/0", "False"), ("redis://h?db=1", "True")])
def test_only_an_address_with_options_needs_redis_to_be_judged(url, wanted):
    text = f'version = 1\n[store]\nurl = "{url}"\n'
    code = f"import sys, limitkit.config, limitkit.source as s; limitkit.config.judge(s.parse({text!r}, '-')); "
    code += "print('redis' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.stdout.strip(), run.stderr) == (wanted, "")
