"""A disk runs full: nothing is acknowledged that is not on it, senders are told to come again, what
retention lets go goes nevertheless, and all goes on by itself when there is room.

The disk is a small tmpfs; where none may be mounted these tests are skipped, and say so.
"""
import errno
import json
import os
import subprocess
import unittest
from pathlib import Path

from lib import PATIENCE_S, Partner, poll, program, send
from crew import Broker, Crew

MEBIBYTE = 1 << 20
DISK = 96 * MEBIBYTE
LOG = 17 * MEBIBYTE         # LOG_BYTES
BODY = 200_000
AWAY_S = 40                 # the server's pauses grow to 15 s


class Full(unittest.TestCase):
    def setUp(self):
        self.crew = self.enterContext(Crew(keep_on_failure=False))
        self.partner = Partner()
        self.addCleanup(self.partner.close)
        self.disk = self.crew.folder / "disk"
        self.disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", self.disk],
                                 capture_output=True, text=True)
        if mounted.returncode:
            self.skipTest(f"no tmpfs may be mounted here: {mounted.stderr.strip()}")
        self.addCleanup(lambda: subprocess.run(["umount", self.disk], check=True))
        self.addCleanup(self.end)
        self.acked = {}

    def end(self):
        """Before the disk goes."""
        for process in list(self.crew.processes):
            self.crew.kill(process)

    def serve(self, *flags):
        self.server = Broker(self.crew, program("move"), "full", {"PARTNER_URL": self.partner.url},
                             store=self.disk / "full.db", flags=flags)
        self.server.start()
        log = Path(f"{self.server.store}-wal").stat()
        self.assertGreaterEqual(log.st_blocks * 512, LOG)

    def room(self):
        told = os.statvfs(self.disk)
        return told.f_bavail * told.f_bsize

    def fill(self, left):
        """Somebody else's file takes all but so many bytes."""
        with open(self.disk / "ballast", "ab", buffering=0) as ballast:
            try:
                while (more := self.room() - left) > 0:
                    ballast.write(bytes(min(more, MEBIBYTE)))
            except OSError as why:      # the server was quicker
                if why.errno != errno.ENOSPC:
                    raise

    def start(self, name):
        flow = self.server.admin("/flows/waits", "POST", json.dumps({"name": name, "box": f"box-{name}"}))[1]["id"]
        self.acked[flow] = []
        return flow

    def url(self, name):
        return poll(lambda: [told.json()["url"] for told in self.partner.told("/url")
                             if told.json()["name"] == name], PATIENCE_S, f"no URL of {name}")[0]

    def deliver(self, flow, name, number):
        """One message to its box: the status, and the header that says when to come again."""
        body = json.dumps({"text": f"{number} " + "x" * BODY}).encode()
        status, headers, _ = send(self.url(f"box-{name}"), body, headers={"webhook-id": f"m-{number}"})
        if status == 200 and number not in self.acked[flow]:
            self.acked[flow].append(number)
        return status, headers.get("retry-after")

    def until_full(self, flow, name, first=0):
        for number in range(first, first + 400):
            status, again = self.deliver(flow, name, number)
            if status != 200:
                self.assertEqual((status, bool(again)), (503, True))
                return number
        self.fail("the disk took it all")

    def assert_holds(self, flow, untaken=None):
        """All that was acknowledged is in its journal, and nothing is twice."""
        ran = subprocess.run([self.server.program, "export", flow, "--store", self.server.store, "--socket",
                              self.crew.folder / "no.sock"], capture_output=True, text=True, timeout=60)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        came = [int(json.loads(entry["body"])["text"].split(" ")[0])
                for entry in map(json.loads, ran.stdout.splitlines())
                if entry.get("kind") == "message" and "x" * 10 in entry.get("body", "")]
        self.assertEqual(len(came), len(set(came)))
        self.assertEqual(set(self.acked[flow]) - set(came), set())

    def assert_clean(self):
        ran = subprocess.run([self.server.program, "check", self.server.store], capture_output=True,
                             text=True, timeout=60)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""), ran.stdout)

    def goes_on(self, flow, name, number, words):
        poll(lambda: self.deliver(flow, name, number)[0] == 200, AWAY_S, words)

    def exported(self):
        """A flow of another store, with its key."""
        other = Broker(self.crew, program("move"), "other", {"PARTNER_URL": self.partner.url},
                       flags=("--log", "off"))
        other.start()
        flow = other.admin("/flows/waits", "POST", json.dumps({"name": "o", "box": "box-o"}))[1]["id"]
        self.url("box-o")
        ran = subprocess.run([other.program, "export", flow, "--with-keys", "--socket", other.socket],
                             capture_output=True, text=True, check=True)
        other.kill()
        return flow, ran.stdout.encode()

    def test_it_goes_on_when_there_is_room(self):
        moved, lines = self.exported()
        self.serve("--log", "off")
        flow = self.start("a")
        self.url("box-a")
        self.fill(6 * MEBIBYTE)
        number = self.until_full(flow, "a")
        self.assertGreater(number, 5)
        self.fill(0)
        self.assertEqual(self.deliver(flow, "a", number)[0], 503)
        status, told = self.server.admin("/flows/waits", "POST", json.dumps({"name": "b", "box": "c"}))
        self.assertEqual((status, "error" in told), (503, True))
        self.assertEqual(self.server.admin("/import?keys=1", "POST", lines)[0], 503)
        # A start on a full disk comes up, and tells senders the truth.
        self.server.kill()
        for beside in self.disk.glob("full.db.*"):
            beside.unlink()
        self.fill(0)
        self.server.start()
        self.assertEqual(self.deliver(flow, "a", number)[0], 503)
        (self.disk / "ballast").unlink()
        self.goes_on(flow, "a", number, "it did not go on")
        self.assertEqual(self.deliver(flow, "a", 0)[0], 200)        # a duplicate
        self.assertEqual(self.server.admin("/import?keys=1", "POST", lines)[0], 201)
        self.assertIn(self.server.flow(moved)["state"], ("parked", "waiting"))
        self.server.kill()
        self.assert_holds(flow)
        self.assert_clean()

    def test_what_retention_lets_go_makes_room_on_a_full_disk(self):
        flags = ("--log", "off", "--young", "1m")
        self.serve(*flags, "--retain-for", "1h")
        ended = [self.start(f"e{n}") for n in range(12)]
        for n, flow in enumerate(ended):
            for number in range(10):
                self.assertEqual(self.deliver(flow, f"e{n}", number)[0], 200)
        flow = self.start("a")
        self.url("box-a")
        for n, _ in enumerate(ended):
            self.assertEqual(send(self.url(f"e{n}"), b'{"text": "end"}')[0], 200)
        for id_ in ended:
            poll(lambda: self.server.flow(id_)["state"] == "ended", PATIENCE_S, "it does not end")
        self.fill(MEBIBYTE)
        number = self.until_full(flow, "a")
        self.server.kill()
        self.fill(0)
        self.server.flags = (*flags, "--retain-for", "1s")
        self.server.start()
        self.goes_on(flow, "a", number, "the store did not make room for itself")
        for more in range(number + 1, number + 21):
            self.goes_on(flow, "a", more, "it went on once only")
        self.assertLess(self.room(), MEBIBYTE)
        self.server.kill()
        self.assert_holds(flow)
        self.assert_clean()
        self.server.start()
        self.goes_on(flow, "a", number + 30, "a restart on the full disk takes nothing")


if __name__ == "__main__":
    unittest.main()
