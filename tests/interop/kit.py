"""What the interop tests share: the e2e kit, where node's packages are, and a server of tests/e2e/senders.c."""
import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from lib import PATIENCE_S, program  # noqa: E402
from crew import Broker, Crew, Failed, poll  # noqa: E402

SECRET = "geheim: s3cr3t"
WHSEC = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
# The program's peer, which none of these tests asks for anything.
NOBODY = {"PARTNER_URL": "http://127.0.0.1:1", "PARTNER_TOKEN": "none", "PARTNER_SECRET": "none"}
NODE = Path(os.environ.get("FISH_INTEROP", HERE)) / "node_modules"


class Case(unittest.TestCase):
    flags = ()

    def setUp(self):
        self.crew = self.enterContext(Crew(keep_on_failure=False))
        self.server = Broker(self.crew, program("senders"), "senders",
                             {"SECRET": SECRET, "OLD_SECRET": SECRET, "WHSEC": WHSEC, **NOBODY}, flags=self.flags)
        self.server.start()

    def take(self, sender, messages=1):
        """A flow that takes so many messages from this sender: its id and its hook's URL."""
        flow = self.server.admin("/flows/take", "POST", json.dumps({"from": sender, "messages": messages}))[1]["id"]
        return flow, poll(lambda: self.server.flow(flow)["published"].get("url"), PATIENCE_S, "no URL was published")

    def received(self, flow):
        return self.server.flow(flow)["hooks"][0]["received"]

    def wait_end(self, flow):
        return poll(lambda: (f := self.server.flow(flow))["state"] == "ended" and f, PATIENCE_S,
                    "it does not end")["result"]

    def run_client(self, *words):
        """A client's exit code and all that it printed."""
        done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=PATIENCE_S, check=False, cwd=NODE.parent)
        if done.returncode:
            raise Failed(f"{words[0]} {words[1]}: {done.stderr.strip() or done.returncode}")
        return done.stdout


__all__ = ["Case", "Crew", "Failed", "NODE", "PATIENCE_S", "SECRET", "WHSEC", "HERE", "poll", "program"]
