"""The reference is what the code says, and each of its examples is right."""

import sys

import pytest
import tomli
from jsonschema import Draft4Validator
from support.pages import DOCS

from limitkit.cli import COMMANDS, limitkit
from limitkit.config.checks import json_schema

sys.path.insert(0, str(DOCS / "hooks"))

import config_reference
import reference

sys.path.pop(0)
SCHEMA = json_schema.of_one_file()
KEYS = [
    (name, key)
    for _, table, _ in config_reference.SECTIONS
    for name in [table or ""]
    for key in (SCHEMA["definitions"][name] if name else SCHEMA)["properties"]
]


@pytest.mark.parametrize("name", reference.PAGES)
def test_a_page_of_the_reference_is_fresh(name):
    assert (reference.FOLDER / name).read_text(encoding="utf-8") == reference.PAGES[name](), "make reference"


def test_each_table_of_the_model_has_a_section():
    assert {name for name, _ in KEYS} == {"", *SCHEMA["definitions"]}


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_each_key_has_an_example_that_is_right(table, key):
    examples = config_reference.EXAMPLES
    written = examples.get(f"{key}@{table}", examples.get(key))
    assert written, f"write an example of {key} into docs/hooks/config_reference.py"
    schema = (SCHEMA["definitions"][table] if table else SCHEMA)["properties"][key]
    Draft4Validator({**schema, "definitions": SCHEMA["definitions"]}).validate(tomli.loads(f"key = {written}")["key"])


def test_no_example_is_left_over():
    known = {*(key for _, key in KEYS), *(f"{key}@{table}" for table, key in KEYS)}
    assert {*config_reference.EXAMPLES} - known <= {"extends", "lint"}


def test_each_command_says_its_options_exit_status_and_examples():
    page = reference.PAGES["commands.md"]()
    for name in COMMANDS:
        section = page.split(f"\n## limitkit {name}\n")[1].split("\n## ")[0]
        assert "**Exit status:**" in section or name == "schema", name
        assert "```sh\n" in section, name
        for option in limitkit.get_command(None, name).params:
            assert option.param_type_name == "argument" or option.opts[-1] in section, (name, option)
