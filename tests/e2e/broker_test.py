"""The broker's story under two hundred kill -9: nothing acknowledged is lost, or done twice.

Half of the kills come at the k-th write of the store, before or after its commit; the other half
by the clock or as soon as something is at stake; the file that every fifth leaves is checked. The same
again with every wait parked. SEED=n repeats one run's choices: python3 -m unittest broker_test (in this
folder, with FISH_BUILD set). KILLS=n are those of each run.
"""
import http.client
import os
import random
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from lib import PATIENCE_S, ROOT, Broker, Crew, poll, program

from judge import Judge, read_ledger
from party import chance

RUNS = 8                    # and as many with every wait parked
KILLS = int(os.environ.get("KILLS", "25"))     # of each run
PARKED = "-parked"          # a seed that ends so parks every wait
REGIONS = ("north", "south")
WAIT_MS = 300
CHECK_EVERY = 5             # kills the file that they leave is checked
COMMITS_MAX = 50            # a kill by the store comes at one of the first so many writes
DIE_S = 4                   # a server that was to die at a write and did not: the clock kills it
END_S = 60


class Kill:
    """One kill -9: what was to cause it, and what was at stake when it came."""

    def __init__(self, chance, by_store):
        self.by_store = by_store
        self.commit = chance.randint(1, COMMITS_MAX)
        self.phase = chance.choice(("before", "after"))
        self.after_s = chance.uniform(0.02, 0.3)
        self.on_untaken = chance.random() < 0.5
        self.out = self.untaken = False

    def env(self):
        if not self.by_store:
            return {}
        return {"FISH_TEST_KILL_AT_COMMIT": str(self.commit), "FISH_TEST_KILL_PHASE": self.phase}

    def look(self, figures):
        """At stake are URLs of orders (each region has one too) and what no flow has taken yet."""
        self.out = figures["hooks_open"] > len(REGIONS)
        self.untaken = figures["untaken"] > 0


class Run:
    """One run of the story, with its kills."""

    def __init__(self, crew, seed):
        self.seed = seed
        self.kills = []
        self.checks = 0
        flags = ("--seed", seed, "--wait-ms", str(WAIT_MS))
        self.app = crew.party("app", *flags, "--orders", "-1", "--pace-ms", "8",
                              "--grant-ms", "250", "--regions", ",".join(REGIONS))
        self.partner = crew.party("partner", *flags)
        self.broker = Broker(crew, program("story"), "story", {
            "APP_URL": self.app.url, "PARTNER_URL": self.partner.url,
            "FISH_TEST_PARK": "1" if seed.endswith(PARKED) else "0"})

    def story(self):
        c = chance(self.seed, "kills")
        self.broker.start()
        for region in REGIONS:
            self.broker.command("start", "region", f'{{"region_id": "{region}"}}', "--key", region)
        poll(lambda: self.app.ask("/status")["acked"] >= 10, END_S, "no orders came through")
        self.broker.kill()
        for number in range(KILLS):
            self.kill(Kill(c, by_store=number % 2 == 0))
            if number % CHECK_EVERY == 0:
                self.check()
        self.check()
        self.broker.start()
        self.app.ask("/stop", "POST")
        poll(self.at_rest, END_S, lambda: f"some flows never end: {self.broker.command('ls')}")
        return Judge(read_ledger(self.app.ledger), read_ledger(self.partner.ledger),
                     self.broker.flows(), self.broker.flow)

    def check(self):
        """What the program's own check says of the file and the log that a kill has left."""
        ran = subprocess.run([self.broker.program, "check", self.broker.store], text=True,
                             capture_output=True, timeout=END_S)
        if ran.returncode:
            raise AssertionError(f"check: {ran.returncode}: {ran.stdout}{ran.stderr}")
        self.checks += 1

    def at_rest(self):
        return self.broker.figures()["flows"] == len(REGIONS) \
            and not self.app.ask("/status")["busy"] and not self.partner.ask("/status")["busy"]

    def dead_or_due(self, kill, process, seconds):
        """Is the server gone, or is it time for the kill? If not, looks at what is at stake."""
        if not process.alive() or self.due(kill, seconds):
            return True
        try:
            kill.look(self.broker.figures())
        except (OSError, http.client.HTTPException, ValueError):
            process.child.wait(DIE_S)       # it died of its own hand while it was asked
        return False

    def kill(self, kill):
        """Starts the server, lets it run into its kill, and notes what was at stake."""
        process = self.broker.begin(kill.env())
        if process.wait_ready():
            begun = time.monotonic()
            poll(lambda: self.dead_or_due(kill, process, time.monotonic() - begun), END_S,
                 "the server neither died nor was it time to kill it", pause=0.002)
            if process.alive():
                kill.by_store = False
        elif self.kills:
            # It died before it could be asked: what was out at the last kill is still out.
            kill.out, kill.untaken = self.kills[-1].out, self.kills[-1].untaken
        self.broker.kill()
        if process.child.returncode != -signal.SIGKILL:
            raise AssertionError(f"the server ended by itself with {process.child.returncode}; "
                                 f"{process.last_words()}")
        self.kills.append(kill)

    @staticmethod
    def due(kill, running_s):
        if kill.by_store:
            return running_s > DIE_S
        return running_s > kill.after_s and (kill.untaken or not kill.on_untaken or running_s > 1)


class TwoHundredKills(unittest.TestCase):
    def one_run(self, seed):
        with Crew() as crew:
            run = Run(crew, seed)
            begun = time.monotonic()
            judge = run.story()
            told = (f"seed {seed}: {len(judge.orders)} orders {judge.counts()}, {len(run.kills)} "
                    f"kills, {run.checks} checks, {time.monotonic() - begun:.0f} s")
            print(told, flush=True)
            problems = judge.problems()
            self.assertEqual(problems[:20], [], f"{len(problems)} problems with {told}; repeat "
                             f"with SEED={seed} KILLS={KILLS} python3 -m unittest broker_test")
            self.assertEqual(len(judge.classes), len(judge.orders), told)
            self.assertEqual(run.broker.process.stop(), 0, "SIGTERM is a clean end")
            return run.kills

    def all_runs(self, suffix):
        if seed := os.environ.get("SEED"):
            if seed.endswith(PARKED) == bool(suffix):
                self.one_run(seed)
            return
        kills = []
        for _ in range(RUNS):
            kills += self.one_run(f"{random.randrange(10**6)}{suffix}")
        by_store = sum(kill.by_store for kill in kills)
        out = sum(kill.out for kill in kills)
        untaken = sum(kill.untaken for kill in kills)
        print(f"{len(kills)} kills, {by_store} of them at a write of the store; {out} with "
              f"callbacks out, {untaken} with an acknowledged delivery that no flow had taken",
              flush=True)
        self.assertGreaterEqual(len(kills), 200)
        self.assertGreaterEqual(by_store, 100)
        self.assertGreaterEqual(out, 150)
        self.assertGreaterEqual(untaken, 30)

    def test_nothing_is_lost_or_done_twice(self):
        self.all_runs("")

    def test_nor_with_every_wait_parked(self):
        self.all_runs(PARKED)


class Demo(unittest.TestCase):
    def test_a_hang_up_leaves_nothing_behind(self):
        """A terminal that hangs up and the make in it send one SIGHUP each; here they do not stop."""
        with tempfile.TemporaryDirectory(dir=Crew.short_folder()) as folder:
            demo = subprocess.Popen([ROOT / "examples" / "broker" / "demo", program("broker").parent],
                                    env={**os.environ, "TMPDIR": folder}, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)
            self.addCleanup(demo.kill)
            # There is a store: the crew is at work.
            poll(lambda: list(Path(folder).glob("*/*.sock")), PATIENCE_S, "the demo has not begun")
            poll(lambda: demo.poll() is not None or demo.send_signal(signal.SIGHUP), PATIENCE_S,
                 "the demo does not end", pause=0.001)
            self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    unittest.main()
