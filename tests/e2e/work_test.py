"""fish_work on real threads: other flows go on, a kill in the middle is made good, a stop waits."""
import json
import unittest

from lib import PATIENCE_S, program
from crew import Broker, Crew, poll

TO = 1000
TOTAL = {"total": TO * (TO + 1) // 2}


class Work(unittest.TestCase):
    def setUp(self):
        self.crew = self.enterContext(Crew(keep_on_failure=False))
        self.server = Broker(self.crew, program("work"), "work", {})
        self.server.start()
        self.gate = self.crew.folder / "gate"

    def start_sum(self, gate=""):
        body = json.dumps({"to": TO, "gate": str(gate)})
        return self.server.admin("/flows/crunch", "POST", body)[1]["id"]

    def wait_end(self, flow):
        return poll(lambda: (told := self.server.flow(flow))["state"] == "ended" and told,
                    PATIENCE_S, "it never ended")["result"]

    def wait_on_thread(self):
        poll(lambda: self.server.figures()["works"] == 1, PATIENCE_S, "nothing is on a thread")

    def test_it_gives_its_result(self):
        self.assertEqual(self.wait_end(self.start_sum()), TOTAL)

    def test_other_flows_go_on_meanwhile(self):
        flow = self.start_sum(self.gate)
        self.wait_on_thread()
        told = self.server.admin("/flows/greet?wait=10s", "POST", "null")[1]
        self.assertEqual(told["result"], "hello")
        self.assertNotEqual(self.server.flow(flow)["state"], "ended")
        self.gate.touch()
        self.assertEqual(self.wait_end(flow), TOTAL)

    def test_a_kill_in_the_middle_is_made_good(self):
        flow = self.start_sum(self.gate)
        self.wait_on_thread()
        self.server.kill()
        self.gate.touch()
        self.server.start()
        self.assertEqual(self.wait_end(flow), TOTAL)

    def test_parked_at_every_wait(self):
        self.server.kill()
        self.server.start({"FISH_TEST_PARK": "1"})
        flow = self.start_sum(self.gate)
        self.wait_on_thread()
        self.gate.touch()
        self.assertEqual(self.wait_end(flow), TOTAL)

    def test_a_stop_waits_for_the_thread(self):
        flow = self.start_sum(self.gate)
        self.wait_on_thread()
        self.server.process.child.terminate()
        self.gate.touch()
        self.assertEqual(self.server.process.child.wait(PATIENCE_S), 0)
        self.server.start()
        self.assertEqual(self.wait_end(flow), TOTAL)


if __name__ == "__main__":
    unittest.main()
