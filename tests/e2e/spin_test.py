"""A flow that never waits has its share of the server and no more, and its steps are counted."""
import time
import unittest

from lib import PATIENCE_S, deliver, program
from crew import Broker, Crew, poll

STOP_S = 5         # far less than the patience of a stop, far more than one needs


class Spin(unittest.TestCase):
    def serve(self, *flags):
        crew = self.enterContext(Crew(keep_on_failure=False))
        self.server = Broker(crew, program("spin"), "spin", {}, flags=flags)
        self.server.start()

    def start_flow(self, name):
        return self.server.admin(f"/flows/{name}", "POST", "null")[1]["id"]

    def shown(self, flow, state):
        return poll(lambda: (told := self.server.flow(flow))["state"] == state and told, PATIENCE_S,
                    lambda: f"it is not {state}, but {self.server.flow(flow)['state']}")

    def url(self, flow):
        return self.server.flow(flow)["hooks"][0]["url"]

    def test_others_are_served_and_it_hears_what_it_is_told(self):
        self.serve("--steps-max", "2000000000")
        spins = self.start_flow("spins")
        good = self.start_flow("good")
        self.assertEqual(deliver(self.url(good), b'"hello"'), 200)
        self.assertEqual(self.shown(good, "ended")["result"], {"word": "hello"})
        self.assertEqual(deliver(self.url(spins), b"{}"), 200)
        self.assertEqual(self.shown(spins, "ended")["result"], {"stopped": True})

    def test_a_stop_does_not_wait_for_it_and_a_start_goes_on(self):
        self.serve("--steps-max", "2000000000")
        spins = self.start_flow("spins")
        poll(lambda: self.server.flow(spins)["published"].get("n", 0) > 2000, PATIENCE_S,
             lambda: "it does not run")
        began = time.monotonic()
        process = self.server.process
        process.child.terminate()
        self.assertEqual(process.child.wait(PATIENCE_S), 0)
        self.assertLess(time.monotonic() - began, STOP_S)
        self.server.start()
        self.assertEqual(deliver(self.url(spins), b"{}"), 200)
        self.assertEqual(self.shown(spins, "ended")["result"], {"stopped": True})

    def test_a_long_life_is_warned_of_and_ends_at_the_limit(self):
        self.serve("--steps-max", "12000")
        spins = self.start_flow("spins")
        told = self.shown(spins, "stopped")
        self.assertIn("misuse at step 12000: 12000 steps in one life of the flow", told["why"])
        self.assertIn("fish_renew", told["why"])
        # Its steps are told by what is durable, and a slow disk may be behind.
        poll(lambda: "12000 steps in one life" in self.server.flow(spins).get("warning", ""), PATIENCE_S,
             lambda: f"it is not warned of: {self.server.flow(spins).get('warning')}")
        self.assertIn("warning  12000 steps", self.server.command("show", spins))
        self.assertEqual(self.server.log.read_text().count(f"flow.long flow={spins} name=spins"), 1)
        self.server.kill()
        self.server.flags = ("--steps-max", "2000000000")
        self.server.start()
        self.assertEqual(deliver(self.url(spins), b"{}"), 200)
        self.assertEqual(self.shown(spins, "ended")["result"], {"stopped": True})


if __name__ == "__main__":
    unittest.main()
