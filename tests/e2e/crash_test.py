"""A flow that crashes the process again and again is put aside, and all others go on."""
import unittest

from lib import PATIENCE_S, deliver, program
from crew import Broker, Crew, Failed, poll

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
        self.three_crashes("bad")

    def test_so_it_is_with_what_a_flow_defers(self):
        """Was: nobody was blamed for a crash in there, and each start ended in it."""
        self.three_crashes("defers")

    def put_aside(self, name):
        """The flow, once it stands still; None while nobody answers, or it does not."""
        try:
            flows = self.server.flows()
        except Failed:
            return None
        return next((flow for flow in flows if flow["flow"] == name and flow["state"] == "stopped"), None)

    def three_crashes(self, name):
        self.server.start()
        good = self.start_flow("good")
        url = self.server.flow(good)["hooks"][0]["url"]
        self.start_flow(name)         # durable, and harmless until the next start
        self.server.kill()
        # A life that makes a time-out durable has come further, and the count begins anew after it.
        for _ in range(3 * CRASHES_MAX):
            self.server.begin({"CRASH": "1"})      # may die before it is ready
            bad = poll(lambda: self.put_aside(name) or not self.server.process.alive(), PATIENCE_S,
                       lambda: "it neither crashed nor was put aside")
            if bad is not True:
                break
        self.assertIn("quarantined", bad["why"])
        self.assertIn(f"server.crashed flow={bad['id']} crashes={CRASHES_MAX} ", self.server.log.read_text())
        self.assertEqual(deliver(url, b'"hello"'), 200)
        ended = poll(lambda: (told := self.server.flow(good))["state"] == "ended" and told,
                     PATIENCE_S, lambda: "the good flow did not go on")
        self.assertEqual(ended["result"], {"word": "hello"})
        self.assertTrue(self.server.process.alive())

    def test_one_that_comes_further_in_each_life_goes_on(self):
        """Was: three deaths in a row put it aside, whatever it had done between them."""
        self.server.start()
        flow = self.start_flow("climbs")
        self.server.kill()
        for _ in range(2 * CRASHES_MAX):
            self.server.begin({"CRASH": "1"})
            self.wait_dead()
        log = self.server.log.read_text()
        self.assertEqual(log.count(f"server.crashed flow={flow} crashes=1 "), 2 * CRASHES_MAX - 1, log)
        self.server.start()
        height = self.server.flow(flow)["published"].get("height", 0)
        poll(lambda: self.server.flow(flow)["published"].get("height", 0) > height, PATIENCE_S,
             lambda: f"it does not go on: {self.server.flow(flow)['state']}")


if __name__ == "__main__":
    unittest.main()
