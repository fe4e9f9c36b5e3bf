"""``docs/metrics.md`` says what the code does."""

from pathlib import Path

from limitkit.metrics import docs_page

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_page_is_fresh():
    assert PAGE.read_text(encoding="utf-8") == docs_page.text(), "make metrics-docs"
