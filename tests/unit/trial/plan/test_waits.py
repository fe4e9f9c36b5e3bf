from limitkit.trial.outcome import Outcome, Run
from limitkit.trial.plan.waits import waits
from limitkit.trial.scenario import Scenario, Sending, in_order


def test_both_files_are_played_with_the_same_messages(rules_of):
    old, new = rules_of(""), rules_of("[waiting]\nrescue = false\n")
    played = []

    def play(rules, scenario):
        played.append([arrival.task for arrival in scenario.arrivals])
        late = 1.0 if rules is old else 3.0
        return Outcome(
            [
                Run(number, arrival.task, arrival.at, arrival.queue, starts=[arrival.at + late])
                for number, arrival in enumerate(scenario.arrivals)
            ]
        )

    arrivals = in_order([Sending(task="b", count=2, every=1.0), Sending(task="a")])
    found = waits(old, new, Scenario(arrivals=arrivals), play)
    assert played[0] == played[1] == ["b", "a", "b"]
    assert [(each.task, each.before.waits.p95, each.after.waits.p95) for each in found] == [
        ("b", 1.0, 3.0),
        ("a", 1.0, 3.0),
    ]
