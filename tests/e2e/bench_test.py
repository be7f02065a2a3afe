"""The bench still runs: every group of rows once, as small as can be. What it measures here is not
looked at: a figure is never passed or failed."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from lib import ROOT

BUILD = Path(os.environ.get("FISH_BUILD", ROOT / "build" / "release"))


def in_session(session):
    """The command lines of its processes."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):      # it has ended since
            if int((process / "stat").read_text().rpartition(")")[2].split()[3]) == session:
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


def bench(*words, env=()):
    """In a session of its own, in which nobody is left."""
    child = subprocess.Popen([sys.executable, "-B", ROOT / "bench" / "bench.py", "--build", BUILD, *words],
                             text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                             env={**os.environ, "ROWS": "", "RUNS": "", **dict(env)}, start_new_session=True)
    try:
        out, err = child.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        raise
    if left := in_session(child.pid):
        raise AssertionError(f"these were left behind: {left}")
    return subprocess.CompletedProcess(child.args, child.returncode, out, err)


class Bench(unittest.TestCase):
    def rows(self, groups, env=()):
        with tempfile.TemporaryDirectory() as folder:
            ran = bench("--rows", groups, "--runs", "1", "--seconds", "0.1", "--connections", "1,4",
                        "--waiting", "8", "--parked", "20", "--idle", "40", "--dir", folder,
                        "--out", f"{folder}/bench.json", "--json", env=env)
            self.assertEqual(ran.returncode, 0, ran.stderr)
            told = json.loads(ran.stdout)
            self.assertEqual(told, json.loads(Path(folder, "bench.json").read_text()))
            self.assertEqual(os.listdir(folder), ["bench.json"], "the stores are tidied away")
        for row in told["rows"]:
            self.assertLessEqual({"name", "settings", "value", "unit", "ratio"}, set(row))
            if row["name"] not in ("idle.rss_each", "parked.lost", "parked.rss_each", "parked.disk_each",
                                   "parked.first_answer_more"):
                self.assertGreater(row["value"], 0, row)
        return {row["name"]: row for row in told["rows"]}

    @unittest.skipUnless(shutil.which("nginx"), "nginx is not installed")
    def test_ingest_has_its_ratios(self):
        rows = self.rows("ingest")
        self.assertEqual(rows["ingest.cpu"]["of"], "nginx")
        self.assertEqual(rows["ingest.ack_p50_of_disk"]["of"], "fdatasync")

    def test_round_trips(self):
        self.assertIn("order.resumed_p99", self.rows("trip,order"))

    def test_parked_flows_are_all_delivered(self):
        rows = self.rows("parked", {"FISH_TEST_PARK": "1"})
        self.assertEqual(rows["parked.lost"]["value"], 0)
        self.assertEqual(rows["growth.acks"]["of"], "few parked")

    def test_idle_connections(self):
        self.assertEqual(self.rows("idle")["idle.rss_each"]["settings"], {"connections": 40})

    def test_errors_are_words(self):
        for words, said in ((("--rows", "nonsense"), "there are no rows 'nonsense'"),
                            (("--connections", "0"), "each must be more than 0"),
                            (("--rows", "trip", "--build", "/nonexistent"), "`make bench` builds it")):
            ran = bench(*words)
            self.assertNotEqual(ran.returncode, 0)
            self.assertIn(said, ran.stderr)
            self.assertNotIn("Traceback", ran.stderr)


if __name__ == "__main__":
    unittest.main()
