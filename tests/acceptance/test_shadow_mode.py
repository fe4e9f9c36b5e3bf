"""Limits in shadow, in a real worker: nothing waits, and what would have waited is told."""

from support.scene import Scene, config, limit

from limitkit.control.workers import ask


def test_nothing_waits_and_what_would_have_is_counted():
    toml = config(limit("paid", "1/m", burst=5), limit("other", "1/m", strategy="static"))
    with Scene(toml, env={"LIMITKIT_MODE": "shadow"}) as scene:
        scene.send([("paid", ())] * 40 + [("other", ())] * 10)
        worker = scene.shop.start_worker()
        scene.wait_for({"paid": 40, "other": 10})
        told = {}

        def counted():
            (said,) = ask(scene.shop.app, "limitkit_status", to=["w1@test"], seconds=5.0).values()
            told.update(said)
            return all((each["shadow"] or {}).get("came") for each in said["limits"].values()) and (
                said["limits"]["task=paid"]["shadow"]["came"] == 40
            )

        scene.wait(counted)
        paid, other = (told["limits"][tag]["shadow"] for tag in ("task=paid", "task=other"))
        assert (paid["delayed"], other["delayed"]) == (35, 9)
        assert 34 * 60 < paid["longest"] <= 35 * 60
        assert told["mode"] == "shadow"
        worker.wait_for_output('LIMITKIT_MODE=shadow wins over mode = "enforce"')
        assert scene.tally() == {"lost": 0, "twice": 0}
