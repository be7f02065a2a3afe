"""Named doors with real processes: examples/intents, whose orders come to /in/orders and start a flow each,
and whose payment events come to /in/stripe, before the flow waits or after, over kill -9 and parking."""
import hashlib
import hmac
import http.client
import json
import subprocess
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

    def setUp(self):
        self.crew = self.enterContext(Crew(keep_on_failure=False))
        self.let_answer = threading.Event()
        self.let_answer.set()
        self.stripe = Scripted(self.on_stripe)
        self.addCleanup(self.stripe.close)
        self.addCleanup(self.let_answer.set)
        self.server = self.broker("intents")
        self.server.start()

    def broker(self, name):
        return Broker(self.crew, program("intents"), name, {
            "STRIPE_URL": self.stripe.url, "STRIPE_KEY": "sk_test", "STRIPE_WEBHOOK_SECRET": STRIPE_SECRET,
            "SHOP_SECRET": SHOP_SECRET, **self.env})

    def on_stripe(self, heard):
        self.let_answer.wait(PATIENCE_S)
        if heard.path.endswith("/cancel"):
            return 200, {}
        return 200, {"id": "pi_" + heard.json()["metadata"]["order"]}

    def ask(self, path, body=b"", headers=(), method="POST"):
        address = self.server.port.getsockname()        # not a URL: the doors' are the same for all
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
        self.assertRegex(log, r"door\.refused door=orders number=\d+ sender=shop")
        self.assertNotIn(SHOP_SECRET, log)
        self.assertNotIn(STRIPE_SECRET, log)

    def test_an_event_for_nobody_is_taken_and_told_of(self):
        body = b'{"id": "evt_1", "type": "ping"}'
        ts = str(int(time.time()))
        signature = hmac.new(STRIPE_SECRET.encode(), f"{ts}.".encode() + body, hashlib.sha256).hexdigest()
        self.assertEqual(self.ask("/in/stripe", body, {"Stripe-Signature": f"t={ts},v1={signature}"}), 200)
        self.assertIn("door.nobody door=stripe", self.server.log.read_text())
        self.assertEqual(self.server.flows(), [])
        nobody, = self.shown("stripe")["requests"]
        self.assertEqual((nobody["fate"], nobody["text"]), ("nobody", body.decode()))
        ran = self.command("redeliver", "/in/stripe", str(nobody["number"]), "--socket", self.server.socket)
        self.assertEqual(ran.returncode, 1)
        self.assertIn(b"it has no /data/object/id that could be a key, so nobody can wait for it", ran.stderr)

    def shown(self, door):
        ran = self.command("show", f"/in/{door}", "--json", "--socket", self.server.socket)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return json.loads(ran.stdout)

    def test_what_was_refused_is_put_back(self):
        self.assertEqual(self.order("7", secret="guessed"), 401)
        self.assertEqual(self.event("evt_1", "pi_7", secret="guessed"), 401)
        order, = self.shown("orders")["requests"]
        event, = self.shown("stripe")["requests"]
        self.assertEqual((order["fate"], order["status"], event["fate"]), ("refused", 401, "refused"))
        self.assertIn(["stripe-signature", "…"], event["headers"])
        for door, request in (("stripe", event), ("orders", order)):
            ran = self.command("redeliver", f"/in/{door}", str(request["number"]), "--socket", self.server.socket)
            self.assertEqual((ran.returncode, ran.stdout.decode()), (0, f"delivered to /in/{door}\n"), ran.stderr)
        self.restart()                          # it was durable
        self.wait_results([self.paid("7")])
        self.assertEqual(self.order("7"), 200)  # genuine now, and known
        self.assertEqual(self.event("evt_1", "pi_7"), 200)
        self.assertEqual(len(self.flows()), 1)
        duplicate, = self.shown("orders")["requests"]
        self.assertEqual((duplicate["fate"], self.shown("orders")["since_ms"] > 0), ("duplicate", True))
        text = self.command("show", "/in/", "--socket", self.server.socket).stdout.decode()
        self.assertRegex(text, r"(?s)^/in/orders\n  url .*/in/orders\n.*starts   pay\n  came     1 duplicate since .*"
                               r"\n\n/in/stripe\n.*  key      /data/object/id\n")
        ran = self.command("show", "/in/none", "--socket", self.server.socket)
        self.assertEqual(ran.returncode, 1)
        self.assertIn(b"the program has no door 'none'", ran.stderr)

    def test_boxes_are_nobodys_flows(self):
        self.assertEqual([self.event(f"evt_{n}", f"pi_{n}") for n in (3, 4)], [200] * 2)
        self.assertEqual(self.order("7"), 200)
        self.wait_waiting("7")
        for again in (False, True):
            if again:
                self.restart()
            self.assertEqual([flow["flow"] for flow in self.server.flows()], ["pay"])
            told = self.server.command("ls")
            self.assertIn("\n1 flow live, 1 waiting; 1 URL out, 0 calls under way, 0 messages not yet taken\n"
                          "3 boxes of named doors, with 2 messages that nobody waits for yet\n", told)
            self.assertNotIn("/in/", told)
            boxes = json.loads(self.server.command("ls", "--boxes", "--json"))["flows"]
            self.assertEqual([one["flow"] for one in boxes].count("/in/stripe"), 3)
            self.assertEqual(len(boxes), 4)
        self.assertEqual(self.event("evt_1", "pi_7"), 200)
        self.wait_results([self.paid("7")])
        self.assertEqual(self.server.figures()["ended"], 1)
        waiting = next(one["id"] for one in boxes if one["flow"] == "/in/stripe" and not one["untaken"])
        told = self.server.command("show", waiting)
        self.assertRegex(told, r"(?s)\n  box      of a named door: .*\nHooks\n  in  hook 0, open, 1 received\n  claims  hook 1, open, 1 received\n")
        self.assertNotIn("without an answer", told)
        self.assertIn("events  hook 0, open, 1 received, waits at /in/stripe for pi_8\n", self.shown_of("8"))

    def shown_of(self, name):
        self.assertEqual(self.event("evt_9", f"pi_{name}", "payment_intent.payment_failed"), 200)
        self.assertEqual(self.order(name), 200)
        self.wait_waiting(name)
        flow, = (flow["id"] for flow in self.server.flows(everything=False))
        poll(lambda: self.server.flow(flow)["hooks"][0]["received"] == 1, PATIENCE_S, "it was not handed on")
        return self.server.command("show", flow)

    def command(self, *words, given=None):
        return subprocess.run([self.server.program, *words], input=given, capture_output=True, timeout=PATIENCE_S)

    def test_one_that_waits_can_be_moved(self):
        self.assertEqual(self.order("7"), 200)
        self.wait_waiting("7")
        flow = self.flows()[0]["id"]
        lines = self.command("export", flow, "--with-keys", "--socket", self.server.socket).stdout
        self.server.kill()
        self.server = self.broker("moved")
        self.server.start()
        self.assertEqual(self.event("evt_0", "pi_7", "payment_intent.payment_failed"), 200)
        ran = self.command("import", "-", "--with-keys", "--socket", self.server.socket, given=lines)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(self.event("evt_1", "pi_7"), 200)
        self.wait_results([self.paid("7")])
        self.assertEqual(self.server.flow(flow)["state"], "ended")

    def test_check_has_nothing_to_say(self):
        self.assertEqual([self.event(f"evt_{n}", f"pi_{n % 7}") for n in range(20)], [200] * 20)
        self.assertEqual([self.order(str(n)) for n in range(5)], [200] * 5)
        self.wait_results([self.paid(str(n)) for n in range(5)])
        self.server.kill()
        ran = self.command("check", self.server.store)
        self.assertEqual(ran.returncode, 0, ran.stdout)

    def test_time_runs_out(self):
        self.assertEqual(self.order("7", wait_ms=10), 200)
        self.wait_results([{"order": "7", "paid": False}])


class ParkedDoors(Doors):
    """Every wait is parked: what comes has to fetch the box, and the box the flow."""

    env = {"FISH_TEST_PARK": "1"}


if __name__ == "__main__":
    unittest.main()
