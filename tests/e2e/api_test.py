"""The programs of tests/api, which stand there letter by letter as users were promised that they may
write them: each compiles, tells of itself, and runs its story to the good end in each way of staged.py.
"""
import subprocess
import unittest

from lib import program
from staged import Scripted, Story, in_each_way

FLOWS = {"approve": "approval", "gate": "gate, quote", "pay": "pay", "sub": "subscription"}


class Help(unittest.TestCase):
    def test_each_tells_of_its_flows(self):
        for name, flows in FLOWS.items():
            with self.subTest(name):
                ran = subprocess.run([program(f"api_{name}"), "--help"], text=True, timeout=20,
                                     stdin=subprocess.DEVNULL, capture_output=True)
                self.assertEqual((ran.returncode, ran.stderr), (0, ""))
                self.assertIn(f"flows in this program: {flows}\n", ran.stdout)


@in_each_way
class Approve(Story):
    example = "api_approve"

    def partners(self):
        self.mail = Scripted()
        return {"MAIL_URL": self.mail}

    def story_approved(self):
        flow = self.start("approval", manager="mia", director="dora")
        mail = self.heard(self.mail, "/send", 1)[0]
        self.middle()
        self.tell(mail["approve"], {"why": "cheap"}, **{"x-user": "mia"})
        self.assertEqual(self.result(flow), {"approved": True, "by": "mia", "why": "cheap"})
        self.assertEqual(len(self.mail.calls()), 1)


@in_each_way
class Gate(Story):
    example = "api_gate"

    def partners(self):
        self.runner = Scripted()
        self.market = Scripted(lambda heard: (200, {"price": len(heard.path)}))
        return {"RUNNER_URL": self.runner, "MARKET_URL": self.market}

    def story_two_of_three(self):
        flow = self.start("gate", jobs=["gcc", "clang", "arm"], need=2)
        runs = self.heard(self.runner, "/run", 3)
        self.middle()
        for run, passed in zip(runs, (True, False, True)):
            self.tell(run["callback"], {"passed": passed})
        self.assertEqual(self.result(flow), {"good": 2, "of": 3})

    def story_quotes(self):
        flow = self.start("quote", item="anvil", partners=[
            {"name": name, "url": f"{self.market.url}/{name}"} for name in ("dear", "low")])
        self.heard(self.market, "/low/quote", 1)
        self.middle()
        self.assertEqual(self.result(flow), {"from": "low", "quote": {"price": 10}})


@in_each_way
class Pay(Story):
    example = "api_pay"
    environment = {"STRIPE_KEY": "sk_test_1"}

    def partners(self):
        self.stripe = Scripted(lambda heard: (200, {"id": "pi_1"}))
        self.shop = Scripted()
        return {"STRIPE_URL": self.stripe, "SHOP_URL": self.shop}

    def story_paid(self):
        flow = self.start("pay", order="7", amount=1995)
        told = self.heard(self.stripe, "/v1/payment_intents", 1)[0]
        self.middle()
        self.tell(told["metadata"]["callback"], {"data": {"object": {"paid": True}}})
        self.assertEqual(self.result(flow), {"order": "7", "paid": True})
        self.assertEqual((len(self.stripe.calls()), len(self.shop.calls())), (1, 1))


@in_each_way
class Sub(Story):
    example = "api_sub"

    def partners(self):
        self.hub = Scripted()
        self.sink = Scripted()
        return {"HUB_URL": self.hub, "SINK_URL": self.sink}

    def story_two_events(self):
        flow = self.start("subscription", topic="prices")
        callback = self.heard(self.hub, "/subscribe", 1)[0]["callback"]
        self.tell(callback, 1)
        self.middle()
        self.tell(callback, 2)
        self.cancel(flow)
        self.assertEqual(self.result(flow), {"seen": 2})
        self.assertEqual([told for _, told in self.sink.calls()],
                         [{"n": 1, "event": 1}, {"n": 2, "event": 2}])
        self.assertEqual([path for path, _ in self.hub.calls()], ["/subscribe", "/unsubscribe"])


if __name__ == "__main__":
    unittest.main()
