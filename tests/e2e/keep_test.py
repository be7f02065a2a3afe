"""What the flags of `serve` that bound memory and disk do: --young, --retain-for, --retain-bytes, --memory.

Bodies in flight are limits_test's affair, a full disk full_test's.
"""
import json
import shutil
import sqlite3
import subprocess
import unittest

from lib import PATIENCE_S, Partner, deliver, poll, program, send
from crew import Broker, Crew

MEBIBYTE = 1 << 20
BODY = 30_000               # shorter than what lies outside of segments


def body(number):
    return json.dumps({"text": f"{number} " + "x" * BODY}).encode()


class Keep(unittest.TestCase):
    def setUp(self):
        self.crew = self.enterContext(Crew(keep_on_failure=False))
        self.partner = Partner()
        self.addCleanup(self.partner.close)

    def serve(self, *flags):
        self.server = Broker(self.crew, program("move"), "keep", {"PARTNER_URL": self.partner.url},
                             flags=("--log", "off", *flags))
        self.server.start()

    def start(self, flow, name, **given):
        return self.server.admin(f"/flows/{flow}", "POST", json.dumps({"name": name, **given}))

    def url(self, name):
        return poll(lambda: [told.json()["url"] for told in self.partner.told("/url")
                             if told.json()["name"] == name], PATIENCE_S, f"no URL of {name}")[0]

    def live(self, name, messages):
        """A flow that is sent so many messages, and ends: its id."""
        flow = self.start("waits", name, box=f"box-{name}")[1]["id"]
        box = self.url(f"box-{name}")
        for number in range(messages):
            self.assertEqual(deliver(box, body(number), f"m-{number}"), 200)
        self.assertEqual(deliver(self.url(name), b'{"text": "end"}', "end"), 200)
        poll(lambda: self.server.flow(flow)["state"] == "ended", PATIENCE_S, "it does not end")
        return flow

    def passes(self):
        """Something is committed: what is due is carried out after that, a little each time."""
        self.ticks = getattr(self, "ticks", 0) + 1
        deliver(self.tick_url, b"{}", f"tick-{self.ticks}")

    def begin_ticks(self):
        self.start("waits", "ticks", box="box-ticks")
        self.tick_url = self.url("box-ticks")

    def tables(self):
        """Of a copy of the killed server's store: bytes in young segments, how many are young and retired."""
        self.server.kill()
        copy = self.crew.folder / "copy.db"
        for tail in ("", "-wal"):
            shutil.copyfile(f"{self.server.store}{tail}", f"{copy}{tail}")
        with sqlite3.connect(copy) as db:
            retired = {number for number, in db.execute("SELECT number FROM retired")}
            young = [name for name, in db.execute("SELECT name FROM sqlite_master WHERE name LIKE 'journal_%'")
                     if int(name.split("_")[1]) not in retired]
            held = sum(db.execute(f"SELECT coalesce(sum(length(bytes)), 0) FROM {name}").fetchone()[0]
                       for name in young)
        db.close()
        return held, len(young), len(retired)

    def assert_clean(self):
        ran = subprocess.run([self.server.program, "check", self.server.store], capture_output=True,
                             text=True, timeout=60)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""), ran.stdout)

    def test_young_bounds_what_a_restart_reads(self):
        self.serve("--young", "1m", "--retain-for", "1s", "--park-after", "100ms")
        self.begin_ticks()
        for number in range(10):
            self.live(f"f{number}", 40)
        traffic = 10 * 40 * BODY
        # What lives and rests is young too, until its segment is to go.
        waiting = self.start("waits", "waiting", box="box-waiting")[1]["id"]
        box = self.url("box-waiting")
        for number in range(100):
            self.assertEqual(deliver(box, body(number), f"w-{number}"), 200)
        for _ in range(50):
            self.passes()
        held, young, retired = self.tables()
        self.assertLess(held, 2 * MEBIBYTE, f"{young} young, {retired} retired")
        self.assertGreater(traffic, 10 * MEBIBYTE)
        self.assert_clean()
        self.server.start()
        self.assertEqual(deliver(self.url("waiting"), b'{"text": "go"}', "go"), 200)
        shown = poll(lambda: (shown := self.server.flow(waiting))["state"] == "ended" and shown,
                     PATIENCE_S, "the flow that waited does not go on")
        self.assertEqual(shown["result"]["go"], "go")
        self.assertEqual(shown["result"]["box"][:2], "0 ")

    def test_retain_for_lets_histories_go_and_keeps_message_ids(self):
        self.serve("--retain-for", "1s")
        self.begin_ticks()
        flow = self.live("a", 3)
        whole = self.server.flow(flow)
        self.assertTrue(whole["journal"])
        self.assertEqual(whole["result"]["go"], "end")

        def gone():
            self.passes()
            return not self.server.flow(flow)["journal"]
        poll(gone, PATIENCE_S, "its history is kept")
        told = self.server.flow(flow)
        self.assertEqual((told["state"], told["id"], told["flow"]), ("ended", flow, "waits"))
        self.assertEqual((told["status"], told["result"], told["journal"]), ("done", "", None))
        self.assertEqual(deliver(self.url("box-a"), body(1), "m-1"), 200)      # a duplicate
        self.assertEqual(deliver(self.url("box-a"), body(1), "m-9"), 410)
        ran = subprocess.run([self.server.program, "export", flow, "--socket", self.server.socket],
                             capture_output=True, text=True)
        self.assertEqual(ran.returncode, 1)
        self.assertIn("its journal is kept no longer", ran.stderr)
        self.server.kill()
        self.assert_clean()

    def test_retain_bytes_lets_the_oldest_go(self):
        self.serve("--retain-bytes", "1m", "--young", "1m")
        self.begin_ticks()
        flows = [self.live(f"f{number}", 10) for number in range(16)]

        def some_gone():
            self.passes()
            return not self.server.flow(flows[0])["journal"]
        poll(some_gone, PATIENCE_S, "the oldest is kept")
        for _ in range(50):
            self.passes()
        kept = [bool(self.server.flow(flow)["journal"]) for flow in flows]
        self.assertTrue(kept[-1])
        self.assertEqual(kept, sorted(kept), "the oldest go first")
        self.assertLess(sum(kept) * 10 * BODY, 3 * MEBIBYTE)
        self.assertEqual(deliver(self.url("box-f0"), body(1), "m-1"), 200)
        self.assertEqual(deliver(self.url("box-f0"), body(1), "m-99"), 410)
        self.server.kill()
        self.assert_clean()

    def test_flows_over_the_memory_park_at_once(self):
        self.serve("--memory", "16m", "--max-body", "1m", "--park-after", "1h")
        count = 500
        pad = "x" * BODY
        for number in range(count):
            poll(lambda: self.start("timed", f"t{number}", ms=3_600_000, pad=pad)[0] == 202, PATIENCE_S,
                 "it takes no flows though all of them may leave")
        self.partner.wait_told("/url", count)
        figures = self.server.figures()
        self.assertGreater(figures["parked"], count // 4)
        self.assertLessEqual(figures["memory"], 12 * MEBIBYTE)
        self.assertEqual(figures["flows"], count)
        status, _, answer = send(self.url("t0"), b'{"text": "still here"}', headers={"webhook-id": "t"})
        self.assertEqual((status, json.loads(answer)), (201, {"heard": "still here"}))


if __name__ == "__main__":
    unittest.main()
