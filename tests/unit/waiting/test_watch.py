"""How long others that are not seen were watched: on the clock of who watches, and only while it did."""

from limitkit.waiting.deliveries import WATCH, Silent, Watch

ONE, OTHER = Silent("one", 1000), Silent("other", 2000)


def looks(watch, silent, begin, count, every=1.0):
    """Look so often; return what was overdue each time."""
    return [watch.overdue(silent, begin + number * every) for number in range(count)]


def test_one_is_overdue_once_it_was_watched_for_long_enough():
    found = looks(Watch(), [ONE], 100.0, int(WATCH) + 2)
    assert found == [[]] * int(WATCH) + [[ONE]] * 2


def test_one_that_is_seen_meanwhile_is_watched_anew():
    watch = Watch()
    looks(watch, [ONE, OTHER], 0.0, 11)
    assert watch.overdue([ONE], 11.0) == [ONE]  # the other was seen
    assert looks(watch, [ONE, OTHER], 12.0, 11) == [[ONE]] * 11
    assert watch.overdue([ONE, OTHER], 23.0) == [ONE, OTHER]
    assert watch.overdue([Silent("one", 1001), OTHER], 24.0) == [OTHER]


def test_who_was_frozen_has_not_watched_meanwhile():
    watch = Watch()
    assert looks(watch, [ONE], 0.0, 5, every=60.0) == [[]] * 5
    watch = Watch()
    assert watch.overdue([ONE], 1e6) == []
