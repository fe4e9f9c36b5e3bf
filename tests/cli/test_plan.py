"""What ``limitkit plan`` prints, and its exit status; examples are kept in snapshots/plan/."""

import difflib
import html
import json
import os
import pty
import re
import signal
import subprocess
import sys

import pytest
from markdown_it import MarkdownIt  # which rich needs
from support.commands import CLI, Runner, compare, run, transcript
from support.workers import ROOT

from limitkit.config.wording import one_line

FILES = ["plan_files/before.toml", "plan_files/after.toml"]
EXAMPLES = {
    "text": ["plan", *FILES],
    "app": ["plan", *FILES, "-A", "shopapp"],
    "json": ["plan", *FILES, "--output-format", "json"],
    "github": ["plan", *FILES, "--output-format", "github"],
    "trace": ["plan", *FILES, "--trace", "plan_files/morning.trace"],
    "scenario": ["plan", *FILES, "--scenario", "plan_files/evening.toml"],
    "scenario_problems": ["plan", *FILES, "--scenario", FILES[0]],
    "nothing": ["plan", FILES[0], FILES[0], "--detailed-exitcode"],
    "changes": ["plan", FILES[1], "with_a_warning.toml", "--detailed-exitcode"],
    "problems": ["plan", FILES[0], "with_problems.toml"],
    "problems_json": ["plan", "with_problems.toml", "gone.toml", "--output-format", "json"],
}
HERE = Runner(CLI)


def without_waits(said):
    """Mask what tasks wait: it is what the played workers do, to the millisecond."""
    return re.sub(r"(given up\n).*?(?=\n\n|\Z)", r"\1…", said.rstrip("\n"), flags=re.DOTALL)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name):
    compare("plan", name, transcript(EXAMPLES[name], run(EXAMPLES[name])), mask=without_waits)


@pytest.mark.parametrize(
    ("arguments", "status", "detailed"),
    [
        (FILES, 0, 2),
        ([FILES[0], FILES[0]], 0, 0),
        ([FILES[0], "with_problems.toml"], 1, 1),
        ([FILES[0], "gone.toml"], 2, 1),
        (["gone.toml", "with_problems.toml"], 2, 1),
        ([*FILES, "-A", "nosuchapp"], 2, 1),
        ([*FILES, "--trace", "gone.trace"], 2, 1),
        ([*FILES, "--trace", "x", "--scenario", "x"], 2, 1),
        ([*FILES, "--scenario", "gone.toml"], 2, 1),
        ([*FILES, "--scenario", FILES[0]], 1, 1),
        ([*FILES, "--trace", FILES[0]], 2, 1),
        (["-", "-"], 2, 1),
        ([*FILES, "--config", "x.toml"], 2, 1),
        ([], 2, 1),
        ([*FILES, "--no-such-option"], 2, 1),
        ([*FILES, "--output-format", "\x1b"], 2, 1),
    ],
)
def test_exit_status(arguments, status, detailed):
    done = HERE.run("plan", *arguments)
    assert done.returncode == status
    assert HERE.run("plan", *arguments, "--detailed-exitcode").returncode == detailed
    assert b"Traceback" not in done.stderr
    assert (done.stdout == b"") == (status != 0)


def test_a_scenario_is_played_under_both_files():
    said = [
        HERE.run("plan", *EXAMPLES["scenario"][1:], "--output-format", "json", *seed).stdout
        for seed in ([], ["--seed", "0"])
    ]
    assert said[0] == said[1]
    waits = {each["task"]: each for each in json.loads(said[0])["waits"]}
    assert (
        waits["shop.charge_customer"]["before"]["started"] == waits["shop.charge_customer"]["after"]["started"] == 100
    )
    assert waits["shop.charge_customer"]["before"]["p95"] < waits["shop.charge_customer"]["after"]["p95"]
    done = run(["plan", "-", *EXAMPLES["scenario"][2:]], (CLI / FILES[0]).read_bytes())
    assert b"What tasks wait" in done.stdout


def test_standard_input_is_one_of_the_files():
    text = (CLI / FILES[0]).read_bytes()
    done = run(["plan", "-", FILES[1]], text)
    assert b"plan_files/after.toml:6, was -:8\n" in done.stdout
    done = run(["plan", FILES[1], "-", "--output-format", "json"], text)
    assert {change["path"] for change in json.loads(done.stdout)["changes"]} <= {"-", None}


def test_without_new_it_is_the_file_in_use():
    done = run(["plan", "ratelimits.toml", "--detailed-exitcode"])
    assert (done.stdout, done.returncode) == (
        b"ratelimits.toml -> ratelimits.toml: nothing changes in what the file means\n",
        0,
    )
    assert run(["plan", FILES[0], "--config", FILES[1]]).stdout == run(["plan", *FILES]).stdout


def test_a_mode_of_the_environment_hides_those_of_the_files():
    done = run(["plan", *FILES], LIMITKIT_MODE="shadow")
    assert done.stderr == (
        b"limitkit: LIMITKIT_MODE is set, so both files have that mode here; unset it to see theirs\n"
    )


def test_json_has_the_lines_of_both_files():
    changes = json.loads(run(EXAMPLES["json"]).stdout)["changes"]
    lines = [(CLI / file).read_text().splitlines() for file in FILES]
    rate = next(change for change in changes if change["field"] == "rate")
    assert (rate["before"], rate["after"], rate["effect"]) == ("150/m", "75/m", "stricter")
    assert lines[0][rate["old_line"] - 1] == 'rate = "150/m"'
    assert lines[1][rate["line"] - 1] == 'rate = "75/m"'


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_the_output_is_the_same_in_each_process(seed):
    assert run(EXAMPLES["text"], PYTHONHASHSEED=seed).stdout == run(EXAMPLES["text"]).stdout


HOSTILE = [
    "@octocat",
    "<img src=x onerror=alert(1)>",
    "a|b|c",
    "`x` | `y`",
    "``",
    "![p](https://evil.example/p.png)",
    "[click](javascript:alert(1))",
    "#1 GH-2 octo/repo#3",
    "www.evil.example",
    "https://evil.example",
    "**bold** ~~no~~ $x$ &lt;",
    "\\",
    "a\\",
    "line\n| new | row |",
    "\u202egnp",
    "</code></td><script>",
    "<!-- hidden",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_is_more_than_a_name_in_markdown(tmp_path, name):
    """The comment is read as GitHub reads it; outside of code no mention, number or address may become a link."""
    key = json.dumps(name, ensure_ascii=False)
    for file, rate in (("old.toml", "1/s"), ("new.toml", "2/s")):
        text = f'version = 1\n[limits.{key}]\nstrategy = "per_user"\nkey = "u"\nrate = "{rate}"\n'
        text += f'[limits.{key}.partitions]\n{key} = {{ rate = "{rate}" }}\n[tasks.{key}]\nlimits = [{key}]\n'
        text += f"[tasks.new]\nlimits = [{key}]\n" if file == "new.toml" else ""
        (tmp_path / file).write_text(text, "utf-8")
    done = Runner(tmp_path).run("plan", "old.toml", "new.toml", "--output-format", "github")
    assert done.returncode == 0, done.stderr
    page = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(done.stdout.decode())
    seen = {*re.findall(r"<(\w+)", page)}
    assert seen == {"p", "strong", "table", "thead", "tbody", "tr", "th", "td", "code", "ul", "li"}
    assert {*re.findall(r"<strong>(.*?)</strong>", page)} == {"limitkit plan", "lets more through"}
    codes = [html.unescape(code) for code in re.findall(r"<code>(.*?)</code>", page)]
    assert one_line(name).strip() in [code.strip() for code in codes]
    plain = html.unescape(re.sub(r"<code>.*?</code>|<[^>]+>", "", page))
    assert not re.search(r"@\w|#\d|://|GH-\d|www\.", plain)
    tables = [table.split("</tr>")[:-1] for table in page.split("<table>")[1:]]
    assert len(tables) == 2
    assert all(len({len(re.findall(r"<t[hd]\b", row)) for row in rows}) == 1 for rows in tables)
    assert len(tables[0]) == 1 + 3


def test_a_comment_is_not_longer_than_github_takes(tmp_path):
    for file, rate in (("old.toml", 1), ("new.toml", 2)):
        limits = (f'[tasks.t{n}]\nstrategy = "static"\nrate = "{rate * 10 + n}/s"\n' for n in range(1500))
        (tmp_path / file).write_text("version = 1\n" + "".join(limits))
    done = Runner(tmp_path).run("plan", "old.toml", "new.toml", "--output-format", "github")
    assert len(done.stdout.decode()) < 65_536
    assert b" more changes do not fit here." in done.stdout


def on_a_terminal(columns, **environ):
    """Run the example on a terminal of so many columns; returns what it wrote, with its colors."""
    main, other = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "limitkit", *EXAMPLES["text"]],
        stdout=other,
        stderr=other,
        cwd=CLI,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": str(columns), "LINES": "50", "TERM": "xterm", **environ},
    )
    os.close(other)
    text = b""
    while True:
        try:
            text += (more := os.read(main, 65536))
        except OSError:  # it has ended
            break
        if not more:
            break
    assert done.wait() == 0
    os.close(main)
    return text.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal(columns):
    text = re.sub("\x1b\\[[0-9;]*m", "", on_a_terminal(columns))
    assert max(len(line) for line in text.splitlines() if "plan_files" not in line) <= columns
    assert "halved" in " ".join(text.split())


def test_no_color_is_honoured():
    assert "\x1b[31m" in on_a_terminal(80)
    assert "\x1b" not in on_a_terminal(80, NO_COLOR="1")


def test_the_page_shows_what_the_command_prints():
    page = (ROOT / "docs" / "plan.md").read_text("utf-8")
    names = {"before.toml": FILES[0], "ratelimits.toml": FILES[1], "monday.trace": "plan_files/morning.trace"}
    whole, waits = re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    for shown, name in ((whole, "text"), (waits, "trace")):
        for short, path in names.items():
            shown = shown.replace(short, path)  # noqa: PLW2901 (as it is in the snapshot)
        printed = (CLI / "snapshots" / "plan" / f"{name}.txt").read_text("utf-8")
        assert all(without_waits(part) in without_waits(printed) for part in shown.split("…\n"))
    (diff,) = re.findall(r"^```diff\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    files = [(CLI / file).read_text("utf-8").splitlines(keepends=True) for file in FILES]
    assert diff == "".join([*difflib.unified_diff(*files, n=1)][2:])


@pytest.mark.parametrize("command", ["plan", "plan --detailed-exitcode", "simulate"])
def test_ctrl_c_stops_what_is_played_without_a_traceback(command, tmp_path):
    scenario = tmp_path / "many.toml"
    said = '[[send]]\ntask = "shop.charge_customer"\ncount = 2000000\nevery = "1ms"\nkwargs = { tenant_id = "{n}" }\n'
    scenario.write_text(said)
    name, *options = command.split()
    arguments = [*FILES, "--scenario", scenario] if name == "plan" else [scenario, "--config", FILES[0]]
    # The process says when it plays, so that it is stopped then.
    code = (
        "import sys, limitkit.trial.play as p; from limitkit.cli import main; play = p.play\n"
        "p.play = lambda *a, **k: (print('plays', flush=True), play(*a, **k))[1]; main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, name, *map(str, arguments), *options],
        cwd=CLI,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "plays\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err == STOPPED[name]


STOPPED = {
    "plan": "limitkit: stopped before both files were played, so nothing is shown; without --scenario and --trace, "
    "changes are shown at once\n",
    "simulate": "limitkit: stopped before all was played; nothing is shown\n",
}


def test_waits_say_how_many_have_started_where_not_all_have(tmp_path):
    for file, rate in (("old.toml", "1/s"), ("new.toml", "1/h")):
        (tmp_path / file).write_text(f'version = 1\n[tasks.t]\nstrategy = "token_bucket"\nrate = "{rate}"\n')
    (tmp_path / "some.toml").write_text('until = "60s"\n[[send]]\ntask = "t"\ncount = 10\n')
    command = ["plan", "old.toml", "new.toml", "--scenario", "some.toml"]
    text = Runner(tmp_path).run(*command).stdout.decode()
    table = text.partition("What tasks wait\n")[2].splitlines()
    assert table[0].split()[:4] == ["task", "started", "still", "waiting"]
    assert re.match(r"t +10 -> 1 +0 -> 9 ", table[1])
    assert table[2] == "Waits are of those that have started, so before and after they may be of other messages."
    page = Runner(tmp_path).run(*command, "--output-format", "github").stdout.decode()
    assert "| task | started | still waiting | p50 |" in page
    assert "| `t` | 10 -\\> 1 | 0 -\\> 9 |" in page or "| `t` | 10 -> 1 | 0 -> 9 |" in page
    assert table[2] in page


def test_the_most_that_may_start_says_which_terms_count(tmp_path):
    for file, rate in (("old.toml", "5/s"), ("new.toml", "500/s")):
        said = f'[[tasks.t.schedule]]\nto = "06:00"\nrate = "{rate}"\n'
        (tmp_path / file).write_text(f'version = 1\n[tasks.t]\nstrategy = "token_bucket"\nrate = "1/s"\n{said}')
    text = Runner(tmp_path).run("plan", "old.toml", "new.toml").stdout.decode()
    said = "t: this counts what is highest in its schedule (5/s, burst 1 -> 500/s, burst 1)."
    assert said in text.splitlines()
    assert (
        "this counts what is highest"
        in Runner(tmp_path).run("plan", "old.toml", "new.toml", "--output-format", "github").stdout.decode()
    )
    said = Runner(tmp_path).run("plan", "old.toml", "new.toml", "--output-format", "json").stdout
    (worst,) = json.loads(said)["worst"]
    assert worst["highest"] == {"schedule": {"before": "5/s, burst 1", "after": "500/s, burst 1"}}
