"""The three defects of the Rust crate that Fish comes from, each with a test it would fail."""
import json
import threading
import unittest
from collections import Counter

from lib import MirrorCase, deliver

SENDERS = 6
ROUNDS = 15


class YieldsOnce(MirrorCase):
    """There, the first request to a stream removed it; later ones were answered 200 and lost."""

    def test_a_hook_is_a_stream(self):
        flow, url = self.mirror(10)
        sent = [f"message {number}".encode() for number in range(10)]
        for body in sent:
            self.assertEqual(deliver(url, body), 200)
        self.assertEqual(self.wait_end(flow)["result"], {"messages": 10})
        self.assertEqual([heard.body for heard in self.partner.told("/bytes")], sent)


class PanicsOnLateDelivery(MirrorCase):
    """There, a delivery in the moment when its receiver went away panicked and poisoned the lock,
    and all later deliveries and spawns panicked with it."""

    def test_deliveries_while_the_flow_ends(self):
        seen = Counter()
        for number in range(ROUNDS):
            seen += self.one_round(number)
        self.assertEqual(set(seen), {200, 410}, "none came too late, or one was refused wrongly")
        self.assertTrue(self.server.process.alive())

    def one_round(self, number):
        """Senders race with the end of a flow that takes one message. The statuses they got."""
        flow, url = self.mirror(1, str(number))
        got = []
        ended = threading.Event()

        def sender():
            # Until the flow is gone, and then once more: the last one is late for certain.
            while not ended.is_set():
                got.append(deliver(url, b"x"))
            got.append(deliver(url, b"x"))

        threads = [threading.Thread(target=sender) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        try:
            self.wait_end(flow)
        finally:
            ended.set()
            for thread in threads:
                thread.join()
        statuses = Counter(got)
        # What was acknowledged was taken, or is kept with the ended flow.
        self.assertEqual(statuses[200], 1 + len(self.server.flow(flow)["untaken"]), statuses)
        return statuses


class FalseAck(MirrorCase):
    """There, 200 came before anything was kept, and also for ids that nobody knew."""

    def assert_told_once(self, flow, body):
        self.assertEqual(self.wait_end(flow)["result"], {"messages": 1})
        self.assertEqual([heard.body for heard in self.partner.told("/bytes")][-1], body)
        self.assertEqual(len({heard.key for heard in self.partner.heard
                              if heard.path == "/bytes" and heard.body == body}), 1)

    def test_acknowledged_survives_a_kill_at_once(self):
        for number in range(ROUNDS):
            flow, url = self.mirror(1, str(number))
            body = f"acknowledged {number}".encode()
            self.assertEqual(deliver(url, body), 200)
            self.restart()
            self.assert_told_once(flow, body)

    def killed_at(self, commit, phase):
        """A delivery to a server that dies at its commit-th write. Was it answered?"""
        flow, url = self.mirror(1, phase)
        body = f"{phase} {commit}".encode()
        self.server.kill()
        self.server.begin({"FISH_TEST_KILL_AT_COMMIT": str(commit), "FISH_TEST_KILL_PHASE": phase})
        status = deliver(url, body, "the-id") if self.server.process.wait_ready() else None
        self.assertIn(status, (200, None))
        if status is None:
            self.server.process.child.wait(timeout=10)
        self.server.kill()
        self.server.start()
        if status is None:
            self.assertEqual(deliver(url, body, "the-id"), 200)
        self.assert_told_once(flow, body)
        return status

    def test_no_acknowledgement_before_the_commit(self):
        for phase in ("before", "after"):
            answers = [self.killed_at(commit, phase) for commit in range(1, 6)]
            self.assertIn(None, answers, f"no kill {phase} a commit left a delivery unanswered")

    def test_unknown_is_404_and_gone_is_410(self):
        flow, url = self.mirror(1)
        self.assertEqual(deliver(url[:-8] + "AAAAAAAA"), 404)
        self.assertEqual(deliver(url, b"x"), 200)
        self.wait_end(flow)
        self.assertEqual(deliver(url, b"y"), 410)


if __name__ == "__main__":
    unittest.main()
