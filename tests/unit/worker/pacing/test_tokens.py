"""What a worker gives back goes in calls of bounded size."""

from types import SimpleNamespace

from limitkit.buckets.decision import Bucket, GiveBack, Take
from limitkit.clock import SYSTEM
from limitkit.stores.memory import MemoryStore
from limitkit.worker.pacing.tokens import Tokens

COUNT = 2500


class Counting(MemoryStore):
    """A store that notes how much it was given back in each call."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def take(self, takes, give_backs=(), **options):
        self.sizes.append(len(give_backs))
        return super().take(takes, give_backs, **options)


def tokens_of_many():
    store = Counting()
    outage = SimpleNamespace(recent=False, over=lambda _: None)
    rules = SimpleNamespace(store=SimpleNamespace(timeout=1.0))
    tokens = Tokens(SimpleNamespace(store=store, clock=SYSTEM, outage=outage, rules=rules))
    buckets = [Bucket(f"b{number}", 60_000_000, 1) for number in range(COUNT)]
    marks = [decision.marks[0] for decision in store.take([Take((each,)) for each in buckets])]
    tokens.give_back_later(GiveBack(each, mark) for each, mark in zip(buckets, marks, strict=True))
    store.sizes.clear()
    return tokens, store, buckets


def full(store, buckets):
    return sum(not decision.retry_after for decision in store.take([Take((each,), 0) for each in buckets]))


def test_all_is_given_back_at_last():
    tokens, store, buckets = tokens_of_many()
    tokens.flush()
    assert store.sizes == [1000, 1000, 500]
    assert full(store, buckets) == COUNT


def test_the_rest_goes_with_the_next_takes():
    tokens, store, buckets = tokens_of_many()
    tokens.take([])
    assert full(store, buckets) == 1000
    tokens.take([])
    tokens.take([])
    assert full(store, buckets) == COUNT
