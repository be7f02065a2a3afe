"""Compares three accounts of the same orders: the broker's flows, app's ledger, partner's ledger.

Each order falls into exactly one class, and the three must agree about it:

    granted   the broker ended with a courier; app was asked and its grant was heard
    refused   the broker failed for app's 409; app was asked and said no
    silent    the broker ended with nothing; partner never called back, app was never asked
    late      the same, but partner did call back, and none of its callbacks was taken

An acknowledged message must be somewhere: taken by its flow, or kept with the ended flow as
untaken. What is nowhere is lost. One order with two flows, two accepts or two keys is doubled.
"""
import base64
import json
from collections import Counter, defaultdict

CLASSES = {"G": "granted", "S": "silent", "L": "late", "R": "refused"}
CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
HEARD = range(200, 300)


def flow_of(url):
    """The id of the flow that a callback URL leads to; it stands in the token's bytes 2 to 17."""
    token = base64.urlsafe_b64decode(url.rsplit("/", 1)[1] + "=")
    number = int.from_bytes(token[2:18])
    return "".join(CROCKFORD[number >> 5 * digit & 31] for digit in reversed(range(26)))


def read_ledger(path):
    with open(path) as lines:
        return [json.loads(line) for line in lines]


class Order:
    """What app and partner know of one order."""

    def __init__(self):
        self.posted = False                 # app heard 2xx for it
        self.flows = set()                  # that the URLs told of it lead to
        self.keys = defaultdict(set)        # path: idempotency keys
        self.urls = defaultdict(set)        # path: callback URLs
        self.accepted = None                # app's last word to /accept
        self.called = False                 # partner called back
        self.heard = {"callback": set(), "grant": set()}   # ids of messages answered 2xx
        self.dead = 0                       # messages answered 404

    def told(self, path, line):
        self.flows.add(flow_of(line["callback"]))
        self.keys[path].add(line["key"])
        self.urls[path].add(line["callback"])

    def tried(self, line):
        if line["status"] in HEARD:
            self.heard[line["event"]].add(line["id"])
        self.dead += line["status"] == 404


class Judge:
    def __init__(self, app_ledger, partner_ledger, flows, show):
        """flows: as Broker.flows lists them, show: gives one with what it left untaken."""
        self.orders = defaultdict(Order)
        self.regions = defaultdict(set)     # region: keys app was told of it with
        self.flows = {flow["id"]: flow for flow in flows if flow["flow"] == "order"}
        self.show = show
        self.classes = {}                   # order: its class
        self.lost = []
        self.doubled = []
        self.unclear = []
        self.tally = Counter()
        self.read(app_ledger, partner_ledger)
        for name, order in sorted(self.orders.items()):
            self.judge(name, order)
        known = {flow for order in self.orders.values() for flow in order.flows}
        for flow in self.flows.keys() - known:
            self.unclear.append(f"flow {flow}: none of the partners was ever told of it")

    def read(self, app_ledger, partner_ledger):
        for line in app_ledger:
            order = self.orders[line["order"]] if "order" in line else None
            if line["event"] == "region":
                self.regions[line["region"]].add(line["key"])
            elif line["event"] == "post":
                order.posted |= line["status"] in HEARD
            elif line["event"] == "accept":
                order.told("/accept", line)
                order.accepted = line["status"]
            else:
                order.tried(line)
        for line in partner_ledger:
            order = self.orders[line["order"]]
            if line["event"] == "order":
                order.told("/order", line)
            else:
                order.called = True
                order.tried(line)

    def judge(self, name, order):
        self.judge_once(name, order)
        flow = self.flows.get(next(iter(order.flows), None))
        if flow is None:
            (self.lost if order.posted else self.unclear).append(f"{name}: there is no flow of it")
            return
        if flow["state"] != "ended":
            self.lost.append(f"{name}: its flow {flow['id']} is {flow['state']} and never ended")
            return
        if order.dead:
            self.lost.append(f"{name}: {order.dead} messages to its URLs were answered 404")
        kind = self.classify(name, order, flow)
        if kind is None:
            return
        self.classes[name] = kind
        self.account(name, order, flow, kind)

    def judge_once(self, name, order):
        if len(order.flows) > 1:
            self.doubled.append(f"{name}: it has the flows {', '.join(sorted(order.flows))}")
        for path in order.keys:
            if len(order.keys[path]) > 1 or len(order.urls[path]) > 1 or None in order.keys[path]:
                self.doubled.append(f"{name}: {path} came with {len(order.keys[path])} keys and "
                                    f"{len(order.urls[path])} URLs")

    def classify(self, name, order, flow):
        """The class that the broker's result says, if the ledgers say the same."""
        courier = isinstance(flow["result"], dict) and flow["result"].get("courier")
        if flow["status"] == "done" and courier:
            kind, agree = "G", order.accepted == 200 and order.heard["grant"]
        elif flow["status"] == "failed" and "would not hear" in (flow.get("why") or ""):
            kind, agree = "R", order.accepted == 409 and order.called
        elif flow["status"] == "done" and flow["result"] is None:
            kind, agree = "L" if order.called else "S", order.accepted is None
        else:
            self.unclear.append(f"{name}: flow {flow['id']} ended as {flow['status']}: "
                                f"{flow.get('why') or flow['result']}")
            return None
        if not agree:
            self.lost.append(f"{name}: the broker says {CLASSES[kind]}; app said {order.accepted} "
                             f"and {len(order.heard['grant'])} grants, partner "
                             f"{'called' if order.called else 'did not call'}")
        return kind

    def account(self, name, order, flow, kind):
        """Every message that was answered 2xx is taken or kept, and no other is."""
        heard = len(order.heard["callback"]) + len(order.heard["grant"])
        taken = (order.accepted is not None) + (kind == "G")
        kept = len((self.show(flow["id"]) or {}).get("untaken") or ())
        self.tally.update(heard=heard, taken=taken, kept=kept)
        if heard > taken + kept:
            self.lost.append(f"{name}: {heard} messages were acknowledged, {taken} taken and "
                             f"{kept} kept in flow {flow['id']}")
        elif heard < taken + kept:
            self.unclear.append(f"{name}: flow {flow['id']} took {taken} and kept {kept} "
                                f"messages, and only {heard} were acknowledged")

    def problems(self):
        regions = [f"region {name}: app was told of it with {len(keys)} keys"
                   for name, keys in self.regions.items() if len(keys) > 1]
        return self.lost + self.doubled + self.unclear + regions

    def counts(self):
        return {kind: sum(c == kind for c in self.classes.values()) for kind in CLASSES}

    def table(self):
        """The three accounts side by side, as lines of text."""
        orders = self.orders.values()
        count = self.counts()
        results = Counter(flow.get("status") for flow in self.flows.values())
        nothing = count["S"] + count["L"]
        rows = [
            ("", "broker", "app", "partner"),
            ("orders", len(self.flows), sum(o.posted for o in orders),
             sum("/order" in o.keys for o in orders)),
            ("granted", count["G"], sum(o.accepted == 200 for o in orders), None),
            ("refused", results["failed"], sum(o.accepted == 409 for o in orders), None),
            ("no courier in time", nothing, sum(o.accepted is None for o in orders), None),
            ("  silent", None, None, sum(not o.called for o in orders)),
            ("  late", None, None, sum(o.called and o.accepted is None for o in orders)),
            ("messages acknowledged", self.tally["taken"] + self.tally["kept"],
             sum(len(o.heard["grant"]) for o in orders),
             sum(len(o.heard["callback"]) for o in orders)),
            ("  taken by their flow", self.tally["taken"], None, None),
            ("  kept untaken", self.tally["kept"], None, None),
            ("distinct keys heard", None, self.keys_heard("/accept"), self.keys_heard("/order")),
        ]
        return [f"{name:<22}" + "".join(f"{'' if cell is None else cell:>10}" for cell in cells)
                for name, *cells in rows]

    def keys_heard(self, path):
        return sum(len(order.keys[path]) for order in self.orders.values() if path in order.keys)
