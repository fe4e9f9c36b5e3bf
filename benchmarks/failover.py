"""Measures what a failover of the store leaks: ``PYTHONPATH=.:tests python benchmarks/failover.py [RUNS]``."""

import sys
import tempfile

from support.failover import of_cluster, of_sentinels, of_sentinels_behind


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print("| kill | taken/s | leaked tokens | without a store, s |")
    print("| --- | --- | --- | --- |")
    for name, kill in (
        ("Sentinel", of_sentinels),
        ("Sentinel, replica 50 ms behind", of_sentinels_behind),
        ("Cluster", of_cluster),
    ):
        drains = []
        for _ in range(runs):
            with tempfile.TemporaryDirectory() as folder:
                drains.append(kill(folder))
        rates = [drain.taken_before(0.25) * 4 for drain in drains]
        leaked = ", ".join(str(drain.leaked) for drain in drains)
        outages = ", ".join(f"{drain.outage:.1f}" for drain in drains)
        print(f"| {name} | {min(rates)} to {max(rates)} | {leaked} | {outages} |")


if __name__ == "__main__":
    main()
