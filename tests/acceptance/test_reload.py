"""The file is changed while real workers run: they take it up, what waits follows, and a bad file changes nothing."""

import shutil
import time

import pytest
from support.measure import excess
from support.scene import Scene, config, limit

from limitkit import ConfigError, load
from limitkit.control.workers import ask

FIRST = config(limit("paid", "1/m"), limit("other", "2/m", burst=3), limit("slow", "20/s"))


class Mounted:
    """A file as Kubernetes mounts a ConfigMap: a link into a link to a folder, which is replaced, and removed then."""

    def __init__(self, folder):
        self._folder = folder
        self._number = 0
        self.path = folder / "ratelimits.toml"
        self.path.symlink_to("..data/ratelimits.toml")

    def write(self, toml):
        before, self._number = self._folder / f"..{self._number}", self._number + 1
        version = self._folder / f"..{self._number}"
        version.mkdir()
        (version / "ratelimits.toml").write_text(toml)
        (self._folder / "..data_tmp").symlink_to(version.name)
        (self._folder / "..data_tmp").replace(self._folder / "..data")
        if before.exists():
            shutil.rmtree(before)


@pytest.fixture(scope="module")
def mounted(tmp_path_factory):
    mounted = Mounted(tmp_path_factory.mktemp("mounted"))
    mounted.write(FIRST)
    return mounted


@pytest.fixture(scope="module")
def scene(mounted):
    with Scene(env={"LIMITKIT_CONFIG": str(mounted.path)}) as scene:
        scene.shop.start_workers(2)
        yield scene
        assert scene.tally() == {"lost": 0, "twice": 0}


@pytest.fixture
def go_by(scene, mounted):
    """Change the file, and wait until both workers go by it; returns what they say then."""

    def change(toml):
        mounted.write(toml)
        digest = load(mounted.path).digest
        said = {}

        def taken_up():
            said.update(ask(scene.shop.app, "limitkit_status", to=["w1@test", "w2@test"], seconds=5.0))
            return [each["digest"] for each in said.values()] == [digest] * 2

        scene.wait(taken_up, 20)  # two seconds are promised; how long a stalled machine takes is another matter
        return said

    change(FIRST)
    return change


def rates(said):
    return {tag: (limit["interval"], limit["burst"], limit["source"]) for tag, limit in said["limits"].items()}


def test_what_waits_follows_at_once_and_other_limits_keep_their_tokens(scene, go_by):
    scene.send([("paid", ())] * 60 + [("other", ())] * 5)
    scene.wait_for({"paid": 1, "other": 3})
    changed = time.monotonic()
    go_by(config(limit("paid", "30/s"), limit("other", "2/m", burst=3), limit("slow", "20/s")))
    scene.wait_for({"paid": 60}, 30)
    assert excess([at for at in scene.shop.times("paid") if at >= changed], 30) <= 1 + 30 * 0.05 + 1
    assert scene.counts["other"] <= 4  # its bucket was empty, and two more come back in a minute


def test_a_bad_file_is_refused_with_what_validate_says_and_the_last_good_one_stays(scene, mounted, go_by):
    before = ask(scene.shop.app, "limitkit_status", to=["w1@test"], seconds=5.0)["w1@test"]
    mounted.write(FIRST.replace('"20/s"', '"20/sec"'))
    with pytest.raises(ConfigError) as refused:
        load(mounted.path)
    for worker in scene.shop.workers:
        worker.wait_for_output(f"can't be used, and the one before stays in force: {refused.value}")
    after = ask(scene.shop.app, "limitkit_status", to=["w1@test"], seconds=5.0)["w1@test"]
    assert (after["digest"], rates(after)) == (before["digest"], rates(before))
    assert after["refused"] == str(refused.value)
    answers = ask(scene.shop.app, "limitkit_reload", to=["w1@test", "w2@test"], seconds=5.0)
    assert answers == {"w1@test": {"error": str(refused.value)}, "w2@test": {"error": str(refused.value)}}
    mounted.write(FIRST)
    answers = ask(scene.shop.app, "limitkit_reload", to=["w1@test", "w2@test"], seconds=5.0)
    assert answers == {"w1@test": {"ok": before["digest"]}, "w2@test": {"ok": before["digest"]}}
    said = ask(scene.shop.app, "limitkit_status", to=["w1@test"], seconds=5.0)["w1@test"]
    assert said["refused"] == ""


def test_a_limit_that_is_renamed_or_taken_away_strands_nobody(scene, go_by):
    done = scene.counts["paid"]
    scene.send([("paid", ())] * 50)
    scene.wait_for({"paid": done + 1})
    shared = '[limits.api]\nstrategy = "token_bucket"\nrate = "10/s"\n\n[tasks.paid]\nlimits = ["api"]\n'
    go_by(config(shared))
    scene.wait_for({"paid": done + 20})
    renamed = time.monotonic()
    scene.wait_for({"paid": done + 30})
    assert excess([at for at in scene.shop.times("paid") if at >= renamed], 10) <= 1 + 10 * 0.05 + 1
    go_by(config(limit("other", "2/m", burst=3)))
    scene.wait_for({"paid": done + 50})
    scene.send([("paid", ())] * 30)
    scene.wait_for({"paid": done + 80})  # whatever their pool processes know


def test_a_task_that_is_newly_limited_is_paced_and_another_key_starts_with_full_buckets(scene, go_by):
    go_by(config(limit("user", "1/m"), limit("paid", "20/s")))
    scene.send([("user", ("a",)), ("user", ("b",)), ("user", ("b",))])
    scene.wait_for({"user": 1})
    said = go_by(config(limit("user", "1/m", strategy="per_user", key="user_id"), limit("free", "10/s")))
    assert all({"free", "user"} <= set(each["unguarded"]) for each in said.values())  # their processes know nothing
    scene.wait_for({"user": 2})
    limited = time.monotonic()
    done = scene.counts["free"]
    scene.send([("free", ())] * 30)
    scene.wait_for({"free": done + 30})
    assert excess([at for at in scene.shop.times("free") if at >= limited], 10) <= 1 + 10 * 0.05 + 1
    go_by(config(limit("free", "10/s")))
    scene.wait_for({"user": 3})
