"""Named doors with real processes: examples/intents, whose orders come to /in/orders and start a flow each,
and whose payment events come to /in/stripe, before the flow waits or after, over kill -9 and parking."""
import hashlib
import hmac
import http.client
import json
import threading
import time
import unittest
from urllib.parse import urlsplit

from lib import PATIENCE_S, program
from crew import Broker, Crew, poll
from staged import Scripted

STRIPE_SECRET = "whsec_of stripe"
SHOP_SECRET = "secret of the shop"


class Doors(unittest.TestCase):
    env = {}
    flags = ()

    def setUp(self):
        self.crew = self.enterContext(Crew(keep_on_failure=False))
        self.let_answer = threading.Event()
        self.let_answer.set()
        self.stripe = Scripted(self.on_stripe)
        self.addCleanup(self.stripe.close)
        self.addCleanup(self.let_answer.set)
        self.server = Broker(self.crew, program("intents"), "intents", {
            "STRIPE_URL": self.stripe.url, "STRIPE_KEY": "sk_test", "STRIPE_WEBHOOK_SECRET": STRIPE_SECRET,
            "SHOP_SECRET": SHOP_SECRET, **self.env}, flags=self.flags)
        self.server.start()

    def on_stripe(self, heard):
        self.let_answer.wait(PATIENCE_S)
        if heard.path.endswith("/cancel"):
            return 200, {}
        return 200, {"id": "pi_" + heard.json()["metadata"]["order"]}

    def ask(self, path, body=b"", headers=(), method="POST"):
        address = self.server.port.getsockname()
        connection = http.client.HTTPConnection(*address, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json", **dict(headers)})
            return connection.getresponse().status
        finally:
            connection.close()

    def order(self, name, secret=SHOP_SECRET, **more):
        body = json.dumps({"order": name, "amount": 1995, **more}).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return self.ask("/in/orders", body, {"X-Shop-Signature": signature})

    def event(self, ident, intent, kind="payment_intent.succeeded", secret=STRIPE_SECRET):
        body = json.dumps({"id": ident, "type": kind, "data": {"object": {"id": intent}}}).encode()
        ts = str(int(time.time()))
        signature = hmac.new(secret.encode(), f"{ts}.".encode() + body, hashlib.sha256).hexdigest()
        return self.ask("/in/stripe", body, {"Stripe-Signature": f"t={ts},v1={signature}"})

    def flows(self, everything=True):
        return [flow for flow in self.server.flows(everything) if flow["flow"] == "pay"]

    def restart(self):
        self.server.kill()
        self.server.start()

    def wait_results(self, results):
        def ended():
            flows = self.flows()
            return len(flows) == len(results) and all(flow["state"] == "ended" for flow in flows) and flows
        flows = poll(ended, PATIENCE_S, lambda: f"they do not end: {self.flows()}")
        told = [self.server.flow(flow["id"])["result"] for flow in flows]
        self.assertCountEqual(told, results)

    def wait_waiting(self, name):
        def waits():
            for flow in self.flows(everything=False):
                shown = self.server.flow(flow["id"])
                if shown["input"].get("order") == name and shown["hooks"]:
                    return True
            return False
        poll(waits, PATIENCE_S, "the flow does not come to wait for its events")

    def paid(self, name):
        return {"order": name, "paid": True, "intent": f"pi_{name}"}

    def test_early_ones_survive_a_kill_and_are_handed_over(self):
        self.assertEqual(self.event("evt_0", "pi_7", "payment_intent.payment_failed"), 200)
        self.assertEqual(self.event("evt_1", "pi_7"), 200)
        self.assertEqual(self.event("evt_2", "pi_8"), 200)
        self.restart()
        self.let_answer.clear()
        self.assertEqual(self.order("7"), 200)
        self.stripe.wait_told("/v1/payment_intents", 1)
        self.restart()                          # in the middle of the call that asks for the intent
        self.let_answer.set()
        self.wait_results([self.paid("7")])
        self.restart()
        self.assertEqual(self.order("8"), 200)
        self.wait_results([self.paid("7"), self.paid("8")])

    def test_one_that_waits_is_woken(self):
        self.assertEqual(self.order("1"), 200)
        self.assertEqual(self.order("2"), 200)
        self.wait_waiting("1")
        self.wait_waiting("2")
        self.restart()
        self.assertEqual(self.event("evt_0", "pi_2", "payment_intent.payment_failed"), 200)
        self.restart()
        self.assertEqual(self.event("evt_1", "pi_2"), 200)
        self.assertEqual(self.event("evt_2", "pi_1", "payment_intent.canceled"), 200)
        self.wait_results([{"order": "1", "paid": False}, self.paid("2")])

    def test_repetitions_start_nothing_and_are_handed_to_nobody(self):
        self.assertEqual([self.order("7"), self.order("7")], [200, 200])
        self.restart()
        self.assertEqual(self.order("7"), 200)
        self.wait_waiting("7")
        flow = self.flows()[0]["id"]
        for _ in range(2):
            self.assertEqual(self.event("evt_0", "pi_7", "payment_intent.payment_failed"), 200)
        self.restart()
        self.assertEqual(self.event("evt_0", "pi_7", "payment_intent.payment_failed"), 200)
        poll(lambda: self.server.flow(flow)["hooks"][0]["received"] == 1, PATIENCE_S, "it was not handed on once")
        self.assertEqual(self.event("evt_1", "pi_7"), 200)
        self.wait_results([self.paid("7")])
        self.assertLessEqual(self.server.log.read_text().count("order 7: payment_intent.payment_failed"), 1)
        self.assertEqual(self.order("7"), 200)
        self.assertEqual(len(self.flows()), 1)

    def test_forged_ones_and_unknown_doors(self):
        self.assertEqual(self.order("7", secret="guessed"), 401)
        self.assertEqual(self.event("evt_1", "pi_7", secret="guessed"), 401)
        self.assertEqual(self.ask("/in/orders", b'{"order": "7"}'), 401)
        self.assertEqual(self.ask("/in/nowhere", b"{}"), 404)
        self.assertEqual(self.ask("/in/", b"{}"), 404)
        self.assertEqual(self.ask("/in/orders", method="DELETE"), 405)
        self.assertEqual(self.server.flows(), [])
        log = self.server.log.read_text()
        self.assertIn("door.refused door=orders sender=shop", log)
        self.assertNotIn(SHOP_SECRET, log)
        self.assertNotIn(STRIPE_SECRET, log)

    def test_an_event_for_nobody_is_taken_and_told_of(self):
        body = b'{"id": "evt_1", "type": "ping"}'
        ts = str(int(time.time()))
        signature = hmac.new(STRIPE_SECRET.encode(), f"{ts}.".encode() + body, hashlib.sha256).hexdigest()
        self.assertEqual(self.ask("/in/stripe", body, {"Stripe-Signature": f"t={ts},v1={signature}"}), 200)
        self.assertIn("door.nobody door=stripe", self.server.log.read_text())
        self.assertEqual(self.server.flows(), [])

    def test_time_runs_out(self):
        self.assertEqual(self.order("7", wait_ms=10), 200)
        self.wait_results([{"order": "7", "paid": False}])


class ParkedDoors(Doors):
    """Every wait is parked: what comes has to fetch the box, and the box the flow."""

    env = {"FISH_TEST_PARK": "1"}


if __name__ == "__main__":
    unittest.main()
