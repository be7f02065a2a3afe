"""A disk that is really full: a small file system in memory, in a mount namespace of its own, with the store
on it. Nothing is acknowledged that is not durable, senders are told 503, a kill in between loses nothing, and
all goes on by itself once there is room. Skipped where one may not make such a namespace.
"""
import json
import os
import re
import shutil
import subprocess
import time
import unittest
from pathlib import Path

from lib import PATIENCE_S, Broker, Crew, Partner, deliver, poll, program, send

MEBIBYTE = 1 << 20
DISK = 64 * MEBIBYTE
LEFT = 3 * MEBIBYTE         # what the ballast leaves to the store at first
BODY = 40000                # of a delivery, about
FLOWS = 4
MESSAGES = 60               # of each flow: all of them together are three times what is left
REFUSALS = 12               # in a row: then it is full
AWAY_S = 45                 # the longest pause between two tries is 15 s


class Disk:
    """A file system of its own, as long as its keeper lives."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        script = 'mount -t tmpfs -o size="$2" tmpfs "$1" && echo mounted && exec cat'
        self.keeper = subprocess.Popen(
            ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", folder, str(DISK)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.mounted = self.keeper.stdout.readline() == b"mounted\n"
        self.inside = Path(f"/proc/{self.keeper.pid}/root{folder}")

    def wrap(self, path, script):
        """A program that runs another one where the disk is."""
        script.write_text(f'#!/bin/sh\nexec nsenter --target {self.keeper.pid} --user --mount '
                          f'--preserve-credentials -- "{path}" "$@"\n', encoding="ascii")
        script.chmod(0o700)
        return script

    def fill(self):
        with open(self.inside / "ballast", "wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, shutil.disk_usage(self.inside).free - LEFT)

    def empty(self):
        (self.inside / "ballast").unlink()

    def close(self):
        self.keeper.stdin.close()
        self.keeper.wait()
        self.keeper.stdout.close()
        self.keeper.stderr.close()


class FullDisk(unittest.TestCase):
    def setUp(self):
        self.crew = self.enterContext(Crew(keep_on_failure=False))
        self.partner = Partner()
        self.addCleanup(self.partner.close)
        if not shutil.which("unshare") or not shutil.which("nsenter"):
            self.skipTest("no unshare and nsenter: no disk can be made that is full")
        self.disk = Disk(Path(self.crew.folder) / "disk")
        self.addCleanup(self.disk.close)
        if not self.disk.mounted:
            self.skipTest("no file system may be mounted here: no disk can be made that is full")
        inside = self.disk.wrap(program("bodies"), Path(self.crew.folder) / "bodies")
        self.server = Broker(self.crew, inside, "bodies", {"PARTNER_URL": self.partner.url},
                             store=self.disk.folder / "x.db", flags=("--park-after", "1s"))
        self.server.start()
        self.acked, self.left = set(), []
        self.flows = [self.start_flow(number) for number in range(FLOWS)]

    def start_flow(self, number):
        said = {"messages": MESSAGES, "name": str(number)}
        flow = self.server.admin("/flows/mirror", "POST", json.dumps(said))[1]["id"]
        return flow, self.partner.wait_told("/url", number + 1)[-1].json()["url"]

    def text(self, which):
        return f"m-{which[0]}-{which[1]}"

    def deliver(self, which):
        """The status of one message's delivery; what got its 200 is noted."""
        name = self.text(which)
        body = json.dumps({"text": name, "fill": "x" * BODY}).encode()
        status = deliver(self.flows[which[0]][1], body, name)
        if status == 200:
            self.acked.add(name)
        return status

    def told(self):
        """Which messages the flows have passed on, and how often each."""
        counts = {}
        for heard in self.partner.told("/read"):
            counts[heard.json()["text"]] = counts.get(heard.json()["text"], 0) + 1
        return counts

    def logged(self, event):
        return len(re.findall(rf"^\S+ {re.escape(event)}( |$)", self.server.log.read_text(), re.MULTILINE))

    def check(self):
        ran = subprocess.run([self.server.program, "check", self.server.store], text=True,
                             capture_output=True, timeout=60)
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)

    def send_until_full(self):
        """Sends in turns; what was not acknowledged is left for later."""
        refused = 0
        for number in range(MESSAGES):
            for flow in range(FLOWS):
                status = None if refused >= REFUSALS else self.deliver((flow, number))
                refused = refused if refused >= REFUSALS else 0 if status == 200 else refused + 1
                self.assertIn(status, (200, 503, None))
                if status != 200:
                    self.left.append((flow, number))
        self.assertGreaterEqual(refused, REFUSALS, "the disk was never full")

    def send_the_rest(self):
        """As a sender would: again and again, until it is told 200."""
        deadline = time.monotonic() + AWAY_S
        while self.left:
            self.left = [which for which in self.left if self.deliver(which) != 200]
            self.assertLess(time.monotonic(), deadline, f"{len(self.left)} are refused for ever")

    def all_ended(self):
        return all(self.server.flow(flow)["state"] == "ended" for flow, _ in self.flows)

    def finish(self):
        self.send_the_rest()
        poll(self.all_ended, PATIENCE_S, lambda: f"some flows never end: {self.server.figures()}")
        self.assertEqual(self.told(), dict.fromkeys(self.acked, 1))
        self.assertEqual(len(self.acked), FLOWS * MESSAGES)
        self.assertEqual(self.server.process.stop(), 0)
        self.check()

    def test_senders_are_told_to_come_again_until_there_is_room(self):
        self.disk.fill()
        self.send_until_full()
        status, headers, _ = send(self.flows[0][1], b"x" * BODY, headers={"webhook-id": "once-more"})
        self.assertEqual((status, "retry-after" in headers), (503, True))
        self.assertGreater(self.logged("store.away"), 0)
        # What the flows do may fit where a delivery did not; nothing that is told was not acknowledged.
        self.assertEqual(set(self.told()) - self.acked, set())
        process = self.server.process
        self.disk.empty()
        self.finish()
        self.assertIs(self.server.process, process)
        self.assertGreater(self.logged("store.back"), 0)

    def test_a_kill_while_it_is_full_loses_nothing(self):
        self.disk.fill()
        self.send_until_full()
        self.server.kill()
        self.check()
        # Whoever starts it again may have to wait for room; it says so and ends, or it is there.
        self.server.begin()
        if not self.server.process.wait_ready():
            self.assertIn("x.db", self.server.process.last_words())
            self.disk.empty()
            self.server.start()
        else:
            self.disk.empty()
        self.finish()


if __name__ == "__main__":
    unittest.main()
