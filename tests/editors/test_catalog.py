"""The entry that is prepared for SchemaStore's catalog is as that catalog wants it."""

import json
import re

from support.workers import ROOT

SCHEMAS = ROOT / "schemas"
CATALOG = json.loads((SCHEMAS / "catalog.json").read_text(encoding="utf-8"))


def test_the_catalog_has_the_shape_of_schemastore_s():
    """As https://json.schemastore.org/schema-catalog.json says, and its contributors' guide."""
    assert CATALOG.keys() == {"$schema", "version", "schemas"}
    assert CATALOG["$schema"] == "https://json.schemastore.org/schema-catalog.json"
    [entry] = CATALOG["schemas"]
    assert entry.keys() == {"name", "description", "fileMatch", "url"}
    assert entry["fileMatch"] == ["ratelimits.toml"]
    assert all(isinstance(entry[key], str) and len(entry[key]) > 10 for key in ("name", "description", "url"))
    assert not re.search(r"\bschema\b", entry["name"] + entry["description"], re.IGNORECASE)  # which their tests forbid


def test_its_address_is_that_of_the_committed_schema():
    address = CATALOG["schemas"][0]["url"]
    repository = "https://raw.githubusercontent.com/celery-limitkit/limitkit/main/"
    assert address.startswith(repository)
    assert ROOT / address.removeprefix(repository) == SCHEMAS / "ratelimits.schema.json"
