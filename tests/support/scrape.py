"""What a process shows to Prometheus, read as Prometheus reads it."""

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from support.workers import wait_until

PREFIX = "celery_rate_limit_"


def text_of(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return answer.read().decode()


class Samples(dict):
    def outcome(self, task, word):
        return self["outcomes_total", word, task]

    def since(self, before):
        """Return by how much each is more than it was."""
        return Samples({key: value - before.get(key, 0.0) for key, value in self.items()})


class Scrape(Samples):
    """Samples of limitkit's metrics: name without what all have in common, and label values, to value."""

    def __init__(self, text):
        self.text = text
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name.startswith(PREFIX):
                    name = sample.name.removeprefix(PREFIX)
                    key = (name, *(sample.labels[label] for label in sorted(sample.labels)))
                    assert key not in self, f"{key} is there twice"
                    self[key] = sample.value


def scrape(port):
    return Scrape(text_of(port))


def scrape_until(port, true, timeout=20.0):
    """Scrape until ``true(scrape)`` is; returns that scrape."""
    found = None

    def look():
        nonlocal found
        found = scrape(port)
        return true(found)

    try:
        wait_until(look, timeout)
    except AssertionError:
        raise AssertionError(f"not in {timeout} s:\n{found.text}") from None
    return found
