"""Signals of what happens to single limits."""

import pytest

from limitkit.events.event_types import CostSettled, LeaseLost
from limitkit.signals import Signals, cost_settled, lease_lost


@pytest.mark.parametrize(
    ("signal", "event", "said"),
    [
        (lease_lost, LeaseLost(limit="reports"), {}),
        (cost_settled, CostSettled(limit="reports", estimate=500, cost=120), {"estimate": 500, "cost": 120}),
    ],
)
def test_signals_name_the_limit(signal, event, said):
    heard = []

    def receiver(sender, signal, **values):
        heard.append((sender, values))

    assert not Signals().wants(type(event))
    signal.connect(receiver)
    try:
        assert Signals().wants(type(event))
        Signals()(event)
    finally:
        signal.disconnect(receiver)
    assert heard == [("reports", said)]
