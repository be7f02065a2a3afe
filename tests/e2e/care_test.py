"""A store is looked after: backed up under load and killed meanwhile, exported.

Invariant: what was acknowledged before a backup began is in it, and whatever bears its name is whole.
SEED=n repeats one run's choices.
"""
import json
import os
import random
import sqlite3
import statistics
import subprocess
import threading
import time
import unittest
from pathlib import Path

from lib import PATIENCE_S, Partner, deliver, program
from crew import Broker, Crew, Failed, poll

FLOWS = 4
KILLS = int(os.environ.get("KILLS", "20"))
BALLAST = 400               # deliveries of 60 kB that make the store take a while to copy
BALLAST_BYTES = 60_000


def run(server, *words, socket=None, store=None):
    """A command as a script would run it."""
    return subprocess.run([server.program, *map(str, words), "--socket", str(socket or server.socket),
                           "--store", str(store or server.store)], text=True, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=60)


class Load:
    """Threads that deliver to the flows' hooks, and what of it was acknowledged."""

    def __init__(self, urls):
        self.acked, self.waits_ms, self.guard = [], [], threading.Lock()
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.deliver, args=(n, url)) for n, url in
                        enumerate(urls)]
        for thread in self.threads:
            thread.start()

    def deliver(self, worker, url):
        number = 0
        while not self.over.is_set():
            number += 1
            name = f"m-{worker}-{number}"
            began = time.monotonic()
            if deliver(url, json.dumps({"text": name}).encode(), name) == 200:
                with self.guard:
                    self.acked.append(name)
                    self.waits_ms.append((time.monotonic() - began) * 1000)
            else:
                time.sleep(0.005)       # the server was killed: no use in hammering its port

    def so_far(self):
        with self.guard:
            return list(self.acked)

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


class Care(unittest.TestCase):
    def setUp(self):
        self.crew = self.enterContext(Crew(keep_on_failure=False))
        self.partner = Partner()
        self.addCleanup(self.partner.close)
        self.server = Broker(self.crew, program("bodies"), "bodies", {"PARTNER_URL": self.partner.url},
                             flags=("--log", "off"))
        self.server.start()

    def start_flows(self, count, messages=100000):
        self.flows = [self.server.admin("/flows/mirror", "POST", json.dumps(
            {"messages": messages, "name": f"n{n}"}))[1]["id"] for n in range(count)]
        return [poll(lambda: (shown := self.server.flow(flow))["hooks"] and shown, PATIENCE_S,
                     "no hook")["hooks"][0]["url"] for flow in self.flows]

    def fill(self, url):
        """A hook that is paused would refuse so much: each delivery waits for the flow to take it."""
        for n in range(BALLAST):
            poll(lambda: deliver(url, os.urandom(BALLAST_BYTES), f"b-{n}") == 200, PATIENCE_S,
                 "ballast was refused")

    def delivered(self, store):
        """Every message that the flows of a store were sent, as export tells."""
        names = set()
        for flow in self.flows:
            told = run(self.server, "export", flow, store=store, socket=self.crew.folder / "no.sock")
            self.assertEqual(told.returncode, 0, told.stderr)
            for line in told.stdout.splitlines():
                entry = json.loads(line)
                if entry.get("kind") == "message" and entry.get("body", "").startswith('{"text": "m-'):
                    names.add(json.loads(entry["body"])["text"])
        return names

    def assert_holds(self, copy, acked):
        with sqlite3.connect(f"file:{copy}?immutable=1", uri=True) as db:
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchone()[0], "ok")
        db.close()
        ran = subprocess.run([self.server.program, "check", copy, "--json"], text=True,
                             capture_output=True, timeout=60)
        self.assertEqual((ran.returncode, json.loads(ran.stdout)["damages"]), (0, 0), ran.stdout)
        self.assertFalse(Path(f"{copy}-wal").exists())
        self.assertEqual(set(acked) - self.delivered(copy), set())

    def test_a_backup_under_load_holds_all_that_was_acked_and_runs(self):
        urls = self.start_flows(FLOWS)
        self.fill(urls[0])
        load = Load(urls)
        self.addCleanup(load.stop)
        poll(lambda: len(load.so_far()) > 100, PATIENCE_S, "no load")
        before = len(load.waits_ms)
        acked = load.so_far()
        copy = self.crew.folder / "copy.db"
        ran = run(self.server, "backup", copy, "--json")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        told = json.loads(ran.stdout)
        self.assertEqual(told["by"], "server")
        self.assertEqual(told["bytes"], copy.stat().st_size)
        self.assertEqual(copy.stat().st_mode & 0o777, 0o600)
        during = load.waits_ms[before:]
        load.stop()
        print(f"backup of {told['bytes']} bytes in {told['ms']} ms, longest piece "
              f"{told['held_us_max']} us; acks before: median {statistics.median(load.waits_ms[:before]):.1f}"
              f" max {max(load.waits_ms[:before]):.1f} ms, meanwhile: median "
              f"{statistics.median(during):.1f} max {max(during):.1f} ms")
        self.assert_holds(copy, acked)
        self.server.kill()
        self.server.store = copy
        self.server.start()
        name = f"m-{FLOWS}-1"
        poll(lambda: deliver(urls[1], json.dumps({"text": name}).encode(), name) == 200, PATIENCE_S,
             "the copy takes nothing")

    def test_a_kill_in_the_middle_leaves_no_half_backup(self):
        chance = random.Random(os.environ.get("SEED", "care"))
        urls = self.start_flows(FLOWS)
        self.fill(urls[0])
        load = Load(urls)
        self.addCleanup(load.stop)
        copy = self.crew.folder / "copy.db"
        whole = 0
        for _ in range(KILLS):
            poll(lambda: len(load.so_far()) > 20, PATIENCE_S, "no load")
            acked = load.so_far()
            backup = subprocess.Popen([self.server.program, "backup", copy, "--force", "--socket",
                                       self.server.socket], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            with backup:
                time.sleep(chance.uniform(0, 0.15))
                self.server.kill()
                backup.communicate(timeout=PATIENCE_S)
            if copy.exists():
                whole += 1
                self.assert_holds(copy, acked if backup.returncode == 0 else [])
                copy.unlink()
            self.server.start()
        load.stop()
        self.assertLess(whole, KILLS)
        ran = run(self.server, "backup", copy)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertFalse(Path(f"{copy}.tmp").exists())
        self.assert_holds(copy, load.so_far())

    def test_it_refuses_what_would_do_harm(self):
        self.start_flows(1)
        there = self.crew.folder / "there.db"
        there.write_text("mine")
        ran = run(self.server, "backup", there)
        self.assertEqual((ran.returncode, ran.stdout), (1, ""))
        self.assertIn("is there already", ran.stderr)
        self.assertEqual(there.read_text(), "mine")
        for own in (self.server.store, Path(f"{self.server.store}-wal")):
            ran = run(self.server, "backup", own, "--force")
            self.assertEqual(ran.returncode, 1)
            self.assertIn("is the store itself", ran.stderr)
        ran = run(self.server, "backup", self.crew.folder / "none" / "x.db")
        self.assertEqual(ran.returncode, 1)
        self.assertIn("No such file or directory", ran.stderr)
        Path(f"{there}-wal").write_text("a log")
        ran = run(self.server, "backup", there, "--force")
        self.assertEqual(ran.returncode, 1)
        self.assertIn("there.db-wal", ran.stderr)
        Path(f"{there}-wal").unlink()
        self.assertEqual(run(self.server, "backup", there, "--force").returncode, 0)
        self.assert_holds(there, [])

    def test_a_backup_that_is_refused_harms_no_flow(self):
        urls = self.start_flows(1)
        ran = run(self.server, "backup", "/dev/full")
        self.assertEqual(ran.returncode, 1)
        self.assertIn("is no file", ran.stderr)
        self.assertEqual(deliver(urls[0], b'{"text": "m-0-0"}', "m-0-0"), 200)

    def test_without_a_server_the_command_copies(self):
        urls = self.start_flows(1)
        self.assertEqual(deliver(urls[0], b'{"text": "m-0-0"}', "m-0-0"), 200)
        self.server.kill()
        copy = self.crew.folder / "copy.db"
        ran = run(self.server, "backup", copy, "--json")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(json.loads(ran.stdout)["by"], "command")
        self.assert_holds(copy, ["m-0-0"])
        ran = run(self.server, "backup", copy, store=self.crew.folder / "none.db")
        self.assertEqual(ran.returncode, 1)
        self.assertFalse((self.crew.folder / "none.db").exists())

    def test_check_reads_the_log_of_a_killed_server_and_changes_nothing(self):
        urls = self.start_flows(1)
        self.assertEqual(deliver(urls[0], b'{"text": "m-0-0"}', "m-0-0"), 200)
        check = [self.server.program, "check", self.server.store]
        ran = subprocess.run(check, capture_output=True, text=True)
        self.assertEqual(ran.returncode, 1)
        self.assertIn("in use", ran.stderr)
        self.server.kill()
        files = [self.server.store, Path(f"{self.server.store}-wal")]
        self.assertGreater(files[1].stat().st_size, 0)
        before = [file.read_bytes() for file in files]
        ran = subprocess.run(check, capture_output=True, text=True)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""), ran.stdout)
        self.assertEqual([file.read_bytes() for file in files], before)
        self.assertEqual(subprocess.run(check[:2], capture_output=True).returncode, 2)

    def test_export_tells_the_same_of_a_running_and_a_stopped_server(self):
        urls = self.start_flows(1, messages=1)
        flow = self.flows[0]
        self.assertEqual(deliver(urls[0], b"\xff\x00no text", "m"), 200)
        poll(lambda: self.server.flow(flow)["state"] == "ended", PATIENCE_S, "it does not end")
        running = run(self.server, "export", flow)
        self.assertEqual(running.returncode, 0, running.stderr)
        head, *entries = map(json.loads, running.stdout.splitlines())
        self.assertEqual({name: head[name] for name in ("fish_flow", "id", "ended", "from_seq", "next_seq")},
                         {"fish_flow": 1, "id": flow, "ended": True, "from_seq": 0,
                          "next_seq": len(entries)})
        self.assertEqual([sorted(key) for key in head["keys"]], [["id", "mark"]])
        self.assertEqual([entry["seq"] for entry in entries], list(range(len(entries))))
        self.assertEqual((entries[0]["kind"], entries[-1]["kind"]), ("start", "end"))
        body = [entry for entry in entries if "body_base64" in entry][0]
        self.assertEqual(body["body_base64"], "/wBubyB0ZXh0")
        self.server.kill()
        self.assertEqual(run(self.server, "export", flow).stdout, running.stdout)
        ran = run(self.server, "export", "01jd8q4zv6n3f5w2x7y9k1m0pr")
        self.assertEqual(ran.returncode, 1)
        self.assertIn("no flow has the id", ran.stderr)


if __name__ == "__main__":
    unittest.main()
