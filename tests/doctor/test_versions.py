"""What is installed."""

import sys

import pytest

from limitkit.doctor.finding import Sheet
from limitkit.doctor.versions import asked_for, judged, look_at_versions


@pytest.fixture
def installs(tmp_path, monkeypatch):
    """Put the metadata of one more distribution on Python's path."""

    def install(name, version):
        folder = tmp_path / name
        info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n")
        monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])

    return install


def looked():
    sheet = Sheet()
    look_at_versions(sheet)
    return {each.code: each for each in sheet.findings}


def test_what_limitkit_is_tested_with_is_fine():
    assert looked().keys() <= {"LK166"}  # of which an editable install may have two


def test_another_package_of_the_name(installs):
    installs("limitkit", "0.1.0")
    found = looked()["LK165"]
    assert found.severity == "error"
    assert "The package limitkit 0.1.0 is installed beside celery-limitkit" in found.message
    assert "pip uninstall limitkit" in found.hint


def test_installed_twice(installs):
    installs("celery-limitkit", "0.0.9")
    assert "is installed" in looked()["LK166"].message


@pytest.mark.parametrize(
    ("package", "version", "codes"),
    [
        ("kombu", "5.5.2", []),
        ("kombu", "5.4.0", ["LK164"]),
        ("kombu", "5.3.7", ["LK164", "LK163"]),
        ("celery", "5.4.0", ["LK164"]),
        ("celery", "5.5.0rc1", []),
        ("redis", "4.5.1", ["LK164"]),
        ("redis", "8.1.0", []),
        ("redis", "no version", []),
    ],
)
def test_versions_that_are_old_or_have_a_fault(package, version, codes):
    assert [each.code for each in judged({package: version})] == codes


@pytest.mark.parametrize(("version", "fits"), [("4.5.2", True), ("5.0.2", False), ("5.2.1", True), ("5.3.0", False)])
def test_kombu_says_which_redis_it_works_with(version, fits):
    asks = ["amqp<6.0.0,>=5.1.1", 'redis!=4.5.5,!=5.0.2,<=5.2.1,>=4.5.2; extra == "redis"']
    found = list(asked_for(asks, {"redis": version, "kombu": "5.5.2"}))
    assert [each.code for each in found] == ([] if fits else ["LK163"])
