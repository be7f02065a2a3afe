"""A changed build stops the flow that it does not fit, says where and how to mend it, and loses nothing."""
import re
import unittest
from pathlib import Path

from lib import PATIENCE_S, deliver, program
from crew import Broker, Crew, poll

SOURCE = Path(__file__).with_name("diverge.c").read_text().splitlines()


class Diverged(unittest.TestCase):
    def setUp(self):
        self.crew = self.enterContext(Crew(keep_on_failure=False))
        self.server = Broker(self.crew, program("diverge"), "diverge", {})
        self.server.start()
        self.flow = self.server.admin("/flows/changed", "POST", "null")[1]["id"]
        self.url = self.hook_url("first")

    def hook_url(self, name):
        return [hook["url"] for hook in self.server.flow(self.flow)["hooks"]
                if hook["name"] == name][0]

    def wait_state(self, state):
        return poll(lambda: (told := self.server.flow(self.flow))["state"] == state and told,
                    PATIENCE_S, lambda: f"it is not {state}: {self.server.flow(self.flow)}")

    def restart(self, build):
        self.server.kill()
        self.server.start({"BUILD": build})

    def test_the_report_names_step_place_and_mend(self):
        self.restart("renamed")
        self.assertEqual(deliver(self.url, b"1"), 200)      # kept, though the flow cannot run
        why = self.wait_state("stopped")["why"]
        line = 1 + [number for number, text in enumerate(SOURCE) if "here it differs" in text][0]
        self.assertIn("diverged at step 1", why)
        self.assertIn('recorded spawn "second"', why)
        self.assertIn('asks for sleep ""', why)
        self.assertIn('fish_patch(f, "sleep-")', why)
        self.assertIn(f"the call is at diverge.c:{line}", why)
        self.assertEqual(len(re.findall(r"build [0-9a-f]{16}", why)), 2, why)

    def test_retry_without_a_mend_stops_again_and_the_old_code_goes_on(self):
        self.restart("renamed")
        self.assertEqual(deliver(self.url, b"1"), 200)
        self.wait_state("stopped")
        self.assertIn("runs again", self.server.command("retry", self.flow))
        self.wait_state("stopped")
        self.restart("")
        self.assertEqual(self.wait_state("ended")["result"], {"to": "first"})

    def test_the_patch_it_names_lets_it_go_on(self):
        self.restart("renamed")
        self.assertEqual(deliver(self.url, b"1"), 200)
        self.wait_state("stopped")
        self.restart("patched")
        self.assertEqual(self.wait_state("ended")["result"], {"to": "first"})
        # A flow that comes there for the first time takes the new way.
        self.flow = self.server.admin("/flows/changed", "POST", "null")[1]["id"]
        poll(lambda: "sleep" in str(self.server.flow(self.flow)["journal"]), PATIENCE_S, "no sleep")


if __name__ == "__main__":
    unittest.main()
