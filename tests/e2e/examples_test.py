"""The examples, each with scripted partners: the good way, the way out of time, and whatever else
they promise. Each story is told in each way of staged.py: with the server killed in the middle, with
every wait parked, and with the server dying at each write of its journal.
"""
import threading
import unittest

from staged import Scripted, Story, in_each_way


@in_each_way
class Approve(Story):
    """The mail server refuses addresses at nowhere.org; "swift" people click before it has answered."""

    example = "approve"

    def partners(self):
        self.mail = Scripted(self.on_mail)
        return {"MAIL_URL": self.mail}

    def on_mail(self, heard):
        told = heard.json()
        if told["to"].startswith("swift"):
            self.tell(told["approve"], {"why": "fine"}, heard.key, **{"x-user": told["to"]})
        return 404 if told["to"].endswith("nowhere.org") else 200, {}

    def mailed(self):
        return [told["to"] for _, told in self.mail.calls()]

    def story_approved(self):
        flow = self.start("approval", manager="mia@x.org", director="dora@x.org", what="order 7")
        mail = self.heard(self.mail, "/send", 1)[0]
        self.middle()
        self.assertEqual(mail["what"], "order 7")
        self.assertEqual(self.tell(mail["approve"], {"why": "cheap"}, **{"x-user": "mia"}), 200)
        self.middle()
        self.assertEqual(self.result(flow), {"approved": True, "by": "mia", "why": "cheap"})
        self.assertEqual(self.tell(mail["reject"], {}), 410)
        self.assertEqual(self.mailed(), ["mia@x.org"])

    def story_rejected_without_a_reason(self):
        flow = self.start("approval", manager="mia@x.org", director="dora@x.org")
        mail = self.heard(self.mail, "/send", 1)[0]
        self.middle()
        self.assertEqual(self.tell(mail["reject"], {}), 200)
        self.assertEqual(self.result(flow), {"approved": False, "by": "", "why": None})

    def story_reminded_and_escalated(self):
        flow = self.start("approval", manager="mia@x.org", director="swift.dora@x.org", day_ms=20)
        self.heard(self.mail, "/send", 2)
        self.middle()
        self.assertEqual(self.result(flow),
                         {"approved": True, "by": "swift.dora@x.org", "why": "fine"})
        self.assertEqual(self.mailed(), ["mia@x.org"] * 3 + ["swift.dora@x.org"])
        # All four mails have the same two links.
        self.assertEqual(len({told["approve"] for _, told in self.mail.calls()}), 1)

    def story_nobody_reads_what_bounced(self):
        flow = self.start("approval", manager="mia@nowhere.org", director="dora@x.org")
        mail = self.heard(self.mail, "/send", 4)[-1]
        self.middle()
        shown = self.shown(flow, lambda now: now["published"].get("asked"), "nobody was asked")
        self.assertEqual(shown["published"]["asked"], {"who": "dora@x.org", "mails": 1})
        self.assertEqual(self.tell(mail["approve"], {}, **{"x-user": "dora"}), 200)
        self.assertEqual(self.result(flow), {"approved": True, "by": "dora", "why": None})

    def story_nobody_decided(self):
        flow = self.start("approval", manager="mia@x.org", director="dora@x.org", day_ms=10)
        mail = self.heard(self.mail, "/send", 1)[0]
        self.middle()
        self.assertEqual(self.failure(flow), "nobody decided")
        self.assertEqual(self.mailed(), ["mia@x.org"] * 3 + ["dora@x.org"])
        self.assertEqual(self.tell(mail["approve"], {}), 410)


@in_each_way
class Pay(Story):
    """Stripe has one intent, which is "open", or "paid" when it shall be cancelled."""

    example = "pay"
    environment = {"STRIPE_KEY": "sk_test_1"}
    intent = "/v1/payment_intents"
    undo = "/v1/payment_intents/pi_1/cancel"

    def partners(self):
        self.state = "open"
        self.sold_out = False
        self.stripe = Scripted(self.on_stripe)
        self.shop = Scripted(lambda heard: (409 if self.sold_out else 200, {}))
        return {"STRIPE_URL": self.stripe, "SHOP_URL": self.shop}

    def on_stripe(self, heard):
        if heard.headers.get("authorization") != "Bearer sk_test_1":
            return 401, {}
        if heard.path == self.undo:
            return 409 if self.state == "paid" else 200, {}
        return 200, {"id": "pi_1"}

    def paths(self):
        return [path for path, _ in self.stripe.calls()]

    def begin(self, **given):
        flow = self.start("pay", order="7", amount=1995, **given)
        told = self.heard(self.stripe, self.intent, 1)[0]
        self.assertEqual((told["amount"], told["currency"]), (1995, "eur"))
        self.middle()
        return flow, told["metadata"]["callback"]

    def story_paid(self):
        flow, callback = self.begin()
        event = {"data": {"object": {"paid": True}}}
        self.assertEqual(self.tell(callback, event, "evt_1"), 200)
        self.middle()
        self.assertEqual(self.tell(callback, event, "evt_1"), 200)     # as Stripe does
        self.assertEqual(self.result(flow), {"order": "7", "paid": True, "refunded": False})
        self.assertEqual([told["order"] for _, told in self.shop.calls()], ["7"])
        self.assertEqual(self.paths(), [self.intent])

    def story_declined(self):
        flow, callback = self.begin()
        self.assertEqual(self.tell(callback, {"data": {"object": {"paid": False}}}), 200)
        self.assertEqual(self.result(flow), {"order": "7", "paid": False, "refunded": False})
        self.assertEqual(self.paths(), [self.intent, self.undo])
        self.assertEqual(self.shop.calls(), [])

    def story_nobody_pays(self):
        flow, callback = self.begin(minute_ms=10)
        self.assertEqual(self.result(flow), {"order": "7", "paid": False, "refunded": False})
        self.assertEqual(self.paths(), [self.intent, self.undo])
        self.assertEqual(self.tell(callback, {}), 410)

    def story_paid_too_late(self):
        self.state = "paid"
        flow, _ = self.begin(minute_ms=10)
        self.heard(self.stripe, "/v1/refunds", 1)
        self.middle()
        self.assertEqual(self.result(flow), {"order": "7", "paid": False, "refunded": True})
        self.assertEqual(self.paths(), [self.intent, self.undo, "/v1/refunds"])

    def story_sold_out(self):
        self.sold_out = True
        flow, callback = self.begin()
        self.tell(callback, {"data": {"object": {"paid": True}}})
        self.heard(self.shop, "/paid", 1)
        self.middle()
        self.assertEqual(self.result(flow), {"order": "7", "paid": False, "refunded": True})
        self.assertEqual(self.paths(), [self.intent, "/v1/refunds"])


@in_each_way
class Gate(Story):
    """The runner has no machine for arm."""

    example = "gate"
    jobs = ["gcc", "clang", "asan", "fuzz", "lint"]

    def partners(self):
        self.runner = Scripted(
            lambda heard: (422 if heard.json()["job"] == "arm" else 200, {}))
        self.forge = Scripted()
        return {"RUNNER_URL": self.runner, "FORGE_URL": self.forge}

    def begin(self, jobs, **given):
        flow = self.start("gate", sha="5f64439", jobs=jobs, **given)
        self.urls = {told["job"]: told["callback"]
                     for told in self.heard(self.runner, "/run", len(jobs))}
        self.middle()
        return flow

    def report(self, job, passed):
        return self.tell(self.urls[job], {"passed": passed})

    def assert_end(self, flow, state, good, cancelled, of=5):
        self.assertEqual(self.result(flow), {"state": state, "good": good, "of": of})
        self.assertEqual(self.forge.calls(), [("/status", {"sha": "5f64439", "state": state})])
        self.assertEqual([told["job"] for path, told in self.runner.calls() if path == "/cancel"],
                         cancelled)

    def story_three_of_five(self):
        flow = self.begin(self.jobs, need=3)
        self.assertEqual(self.report("lint", True), 200)
        self.assertEqual(self.report("gcc", False), 200)
        self.middle()
        self.assertEqual(self.report("lint", True), 410, "one job's second result was taken")
        self.assertEqual(self.report("fuzz", True), 200)
        self.assertEqual(self.report("asan", True), 200)
        self.middle()
        self.assert_end(flow, "success", 3, ["clang"])
        self.assertEqual(self.report("clang", True), 410)

    def story_known_to_fail_early(self):
        flow = self.begin(self.jobs, need=4)
        self.report("gcc", False)
        self.middle()
        self.report("fuzz", False)
        self.assert_end(flow, "failure", 0, ["clang", "asan", "lint"])

    def story_a_job_that_never_began(self):
        flow = self.begin(["gcc", "arm", "clang"], need=2)
        self.assertEqual(self.report("arm", True), 410)
        self.report("gcc", True)
        self.middle()
        self.report("clang", True)
        self.assert_end(flow, "success", 2, [], of=3)

    def story_out_of_time(self):
        flow = self.begin(self.jobs, need=3, hour_ms=150)
        self.assert_end(flow, "failure", 0, self.jobs)


@in_each_way
class Quote(Story):
    """Fifty partners, in one server by path. The "slow" ones are silent until they are let go."""

    example = "quote"
    patient_ms = 6000       # a tenth of the limit, which a server that dies again and again has to meet

    def partners(self):
        self.let_go = threading.Event()
        self.addCleanup(self.let_go.set)
        self.market = Scripted(self.on_quote)
        return {"MARKET_URL": self.market}

    @staticmethod
    def on_quote(heard):
        kind, number = heard.path.split("/")[1].split("-")
        if kind == "sulky":
            return 403, {"cents": 1}
        return 200, {"cents": 1000 - int(number) if kind == "good" else 1}

    def begin(self, good=0, slow=0, sulky=0, **given):
        market = self.market
        let_go = self.let_go

        def answer(heard):
            if heard.path.startswith("/slow-"):
                let_go.wait()
            return Scripted.answer(market, heard)
        market.answer = answer
        names = [f"{kind}-{number}" for kind, count in
                 (("good", good), ("slow", slow), ("sulky", sulky)) for number in range(count)]
        return self.start("quote", item={"sku": "anvil"}, partners=[
            {"name": name, "url": f"{market.url}/{name}"} for name in names], **given)

    def asked(self):
        return {path for path, told in self.market.calls() if told == {"item": {"sku": "anvil"}}}

    def story_fifty_answer(self):
        flow = self.begin(good=50, second_ms=self.patient_ms)
        self.stage.until(lambda: len(self.asked()) >= 5, "nobody was asked")
        self.middle()
        self.assertEqual(self.result(flow), {"from": "good-49", "quote": {"cents": 951}})
        self.assertEqual(len(self.asked()), 50)

    def story_quorum_without_the_slow_and_the_sulky(self):
        flow = self.begin(good=30, slow=10, sulky=10, quorum=30,
                          second_ms=self.patient_ms)
        self.stage.until(lambda: len(self.asked()) == 50, "not all were asked")
        self.middle()
        # The slow ones ask less, and come when it is decided. What is shown as published is durable:
        # what a kill undoes could go another way the next time.
        self.shown(flow, lambda now: "best" in now["published"], "there was no quorum")
        self.middle()
        self.let_go.set()
        self.assertEqual(self.result(flow), {"from": "good-29", "quote": {"cents": 971}})

    def story_no_quorum_in_time(self):
        flow = self.begin(good=20, slow=10, sulky=20, quorum=30, second_ms=20)
        self.stage.until(lambda: len(self.asked()) >= 5, "nobody was asked")
        self.middle()
        self.assertEqual(self.failure(flow), "too few quotes in time")


@in_each_way
class Sub(Story):
    """The hub delivers each event twice, some of them while it is told that no more are wanted; the
    sink writes down what it gets."""

    example = "sub"

    def partners(self):
        self.last_words = ()
        self.hub = Scripted(self.on_hub)
        self.sink = Scripted()
        return {"HUB_URL": self.hub, "SINK_URL": self.sink}

    def on_hub(self, heard):
        if heard.path == "/unsubscribe":
            for number in self.last_words:
                self.emit(number)
        return 200, {}

    def begin(self, **given):
        flow = self.start("subscription", topic="prices", **given)
        self.callback = self.heard(self.hub, "/subscribe", 1)[0]["callback"]
        return flow

    def emit(self, number):
        for _ in range(2):
            self.assertEqual(self.tell(self.callback, {"price": number}, f"event-{number}"), 200)

    def assert_unsubscribed(self, flow, events, lives):
        """Each event came once and in order, whatever life took it."""
        self.assertEqual(self.result(flow), {"seen": events})
        self.assertEqual([told for _, told in self.sink.calls()],
                         [{"n": n + 1, "event": {"price": n}} for n in range(events)])
        calls = self.hub.calls()
        self.assertEqual({told["callback"] for _, told in calls}, {self.callback})
        self.assertEqual([path for path, _ in calls],
                         ["/subscribe"] * (len(calls) - 1) + ["/unsubscribe"])
        self.assertGreaterEqual(len(calls) - 1, lives)
        self.assertEqual(self.tell(self.callback, {"price": -1}), 410)

    def story_a_life_of_five_events(self):
        flow = self.begin(batch=5)
        for number in range(23):
            self.emit(number)
            if number in (8, 14):
                self.middle()
        self.cancel(flow)
        self.middle()
        self.assert_unsubscribed(flow, 23, lives=5)

    def story_the_lease_runs_out(self):
        flow = self.begin(hour_ms=5)
        for number in range(3):
            self.emit(number)
            self.heard(self.hub, "/subscribe", 2 + number)
            if number == 1:
                self.middle()
        self.emit(3)
        self.cancel(flow)
        self.assert_unsubscribed(flow, 4, lives=4)

    def story_cancelled_with_events_on_their_way(self):
        self.last_words = (9, 10)
        flow = self.begin(batch=2)
        for number in range(9):
            self.emit(number)
        self.middle()
        self.cancel(flow)
        self.assert_unsubscribed(flow, 11, lives=4)


if __name__ == "__main__":
    unittest.main()
