"""A flow that crashes the process again and again is put aside, and all others go on."""
import unittest

from lib import PATIENCE_S, deliver, program
from crew import Broker, Crew, poll

CRASHES_MAX = 3


class Quarantine(unittest.TestCase):
    def setUp(self):
        self.crew = self.enterContext(Crew(keep_on_failure=False))
        self.server = Broker(self.crew, program("crash"), "crash", {})

    def start_flow(self, name):
        return self.server.admin(f"/flows/{name}", "POST", "null")[1]["id"]

    def wait_dead(self):
        poll(lambda: not self.server.process.alive(), PATIENCE_S, lambda: "it did not crash")

    def test_three_crashes_and_the_others_go_on(self):
        self.server.start()
        good = self.start_flow("good")
        url = self.server.flow(good)["hooks"][0]["url"]
        self.start_flow("bad")         # durable, and harmless until the next start
        self.server.kill()
        for _ in range(CRASHES_MAX):
            self.server.begin({"CRASH": "1"})      # may die before it is ready
            self.wait_dead()
        self.server.start({"CRASH": "1"})
        bad = [flow for flow in self.server.flows() if flow["flow"] == "bad"]
        self.assertEqual(len(bad), 1)
        shown = poll(lambda: (told := self.server.flow(bad[0]["id"]))["state"] == "stopped" and told,
                     PATIENCE_S, lambda: "it was not put aside")
        self.assertIn("quarantined", shown["why"])
        self.assertEqual(deliver(url, b'"hello"'), 200)
        ended = poll(lambda: (told := self.server.flow(good))["state"] == "ended" and told,
                     PATIENCE_S, lambda: "the good flow did not go on")
        self.assertEqual(ended["result"], {"word": "hello"})
        self.assertTrue(self.server.process.alive())


if __name__ == "__main__":
    unittest.main()
