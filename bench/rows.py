"""What is measured: each function runs one group and hands its figures to a Table.

A figure is the median of its runs; a ratio is made within each run and the median of those, since
nothing else can be compared on a machine that others use too.
"""
import os
import random
import resource
import signal
import socket
import statistics
import time

from rig import Failed, cpu_seconds, poll, rss_bytes

BODY = '{"order": "o-4711", "state": "taken", "courier": {"name": "Ada", "eta_minutes": 7}, "at": "@%020d"}' % 0
INPUT = ('{"order": "o-4711", "items": [%s]}' % ", ".join(
    '{"sku": "%07d", "count": %d}' % (n * 7919, n % 9 + 1) for n in range(8))).ljust(300)
WAL_FRAME_BYTES = 16384 + 24        # one page and its head: what the smallest commit appends
WAITING = 1000
PARKED = (10_000, 100_000, 1_000_000)
PARKED_BIG = 10_000_000
IDLE = 10_000
OLD_DELIVERIES = 250_000            # with their bodies and heads, more bytes than --young has at first
FILES_BESIDE = 700                  # that this process and the server have open beside connections
RESTARTS = 9
RSS_REST_S = 6                      # longer than a server keeps what it has freed (src/host/pulse.c)


class Table:
    """Figures of several runs, gathered by name and settings."""

    def __init__(self):
        self.figures = {}

    def add(self, name, settings, value, unit, ratio=None, of=None):
        figure = self.figures.setdefault((name, tuple(settings.items())), {
            "name": name, "settings": settings, "unit": unit, "of": of, "values": [], "ratios": []})
        figure["values"].append(value)
        if ratio is not None:
            figure["ratios"].append(ratio)

    def rows(self):
        for figure in self.figures.values():
            row = {"name": figure["name"], "settings": figure["settings"],
                   "value": statistics.median(figure["values"]), "unit": figure["unit"],
                   "ratio": statistics.median(figure["ratios"]) if figure["ratios"] else None,
                   "of": figure["of"], "runs": len(figure["values"]),
                   "least": min(figure["values"]), "most": max(figure["values"])}
            yield row


def measured(rig, pid, to, paths, connections, **options):
    """One run of the generator, with the CPU that the server took for each answer."""
    before = cpu_seconds(pid)
    told = rig.load(to, paths, connections, **options)
    told["cpu_us"] = (cpu_seconds(pid) - before) * 1e6 / max(told["answered"], 1)
    told["rate"] = told["answered"] / told["seconds"]
    return told


def ingest_once(rig, o, nginx, paths, server, table, connections, more, aged=False):
    """Fish and nginx one after the other, under the same posts."""
    pid = server.process.child.pid
    before, commits = server.resumed.counts(), server.figures()["commits"]
    fish = measured(rig, pid, server.address, paths, connections, status=200, seconds=o.seconds,
                    body=BODY, **more)
    commits = server.figures()["commits"] - commits
    resumed = [server.resumed.since(before, share) for share in (0.5, 0.99)]
    limit = measured(rig, nginx.child.pid, nginx.address, paths, connections, status=204,
                     seconds=o.seconds, body=BODY, **more)
    settings = {"connections": connections, "waiting": o.waiting, **({"message_ids": True} if more else {}),
                **({"aged": True} if aged else {})}
    table.add("ingest.acks", settings, fish["rate"], "1/s", fish["rate"] / limit["rate"], "nginx")
    table.add("ingest.cpu", settings, fish["cpu_us"], "us", fish["cpu_us"] / limit["cpu_us"], "nginx")
    table.add("ingest.ack_p50", settings, fish["p50_us"], "us")
    table.add("ingest.ack_p99", settings, fish["p99_us"], "us")
    table.add("ingest.resumed_p50", settings, resumed[0], "us")
    table.add("ingest.resumed_p99", settings, resumed[1], "us")
    table.add("ingest.per_commit", settings, fish["answered"] / max(commits, 1), "")
    table.add("ingest.nginx", settings, limit["rate"], "1/s")
    table.add("ingest.nginx_cpu", settings, limit["cpu_us"], "us")
    return fish, resumed


def fill_young(rig, o, paths, server, say):
    """Posts until more has come than the 64 MiB of --young: from then on the store moves as much as comes."""
    while server.figures()["deliveries"] < OLD_DELIVERIES:
        say("ingest, until the oldest of the journal has to move")
        rig.load(server.address, paths, 64, status=200, seconds=o.seconds, body=BODY)


def ingest(rig, o, table, say):
    """POST to 2xx into waiting flows that take it, beside nginx and beside the disk."""
    nginx = rig.nginx()
    for run in range(o.runs):
        server = rig.server()
        server.start()
        rig.start_flows(server, "taker", o.waiting)
        paths, _ = rig.hook_paths(server, o.waiting)
        for connections in o.connections:
            say(f"ingest, run {run + 1} of {o.runs}, {connections} connections")
            disk = rig.disk(WAL_FRAME_BYTES, o.seconds / 2)
            fish, resumed = ingest_once(rig, o, nginx, paths, server, table, connections, {})
            if connections == 1:
                syncs = disk["syncs"] / disk["seconds"]
                table.add("ingest.acks_of_disk", {"connections": 1}, fish["rate"], "1/s",
                          fish["rate"] / syncs, "fdatasync")
                table.add("ingest.ack_p50_of_disk", {"connections": 1}, fish["p50_us"], "us",
                          fish["p50_us"] / disk["p50_us"], "fdatasync")
                table.add("ingest.resumed_p50_of_disk", {"connections": 1}, resumed[0], "us",
                          resumed[0] / disk["p50_us"], "fdatasync")
                table.add("disk.fdatasync_p50", {"bytes": WAL_FRAME_BYTES}, disk["p50_us"], "us")
        if 64 in o.connections:
            fill_young(rig, o, paths, server, say)
            ingest_once(rig, o, nginx, paths, server, table, 64, {}, aged=True)
            ingest_once(rig, o, nginx, paths, server, table, 64, {"ids": True})
        rig.end(server)
    rig.crew.kill(nginx)


def round_trips(rig, o, table, say, flow, callbacks):
    """start → spawn → URL out → POST → the flow ends; the generator waits for each end."""
    for run in range(o.runs):
        server = rig.server()
        partner = rig.partner(server)
        server.env["FISH_PEER"] = partner.url
        server.start()
        starts = rig.paths([f"/flows/{flow}?wait=20s"], "trips")
        for connections in (1, 64):
            say(f"{flow}, run {run + 1} of {o.runs}, {connections} at a time")
            before = server.resumed.counts()
            told = measured(rig, server.process.child.pid, f"unix:{server.socket}", starts, connections,
                            status=200, seconds=o.seconds, body='{"id": "o-1"}')
            settings = {"at_a_time": connections, "callbacks": callbacks}
            table.add(f"{flow}.flows", settings, told["rate"], "1/s")
            table.add(f"{flow}.cpu", settings, told["cpu_us"], "us")
            table.add(f"{flow}.end_p50", settings, told["p50_us"], "us")
            table.add(f"{flow}.end_p99", settings, told["p99_us"], "us")
            for share in (50, 99):
                table.add(f"{flow}.resumed_p{share}", settings,
                          server.resumed.since(before, share / 100), "us")
        rig.end(server)
        rig.crew.kill(partner)


def trip(rig, o, table, say):
    """A callback's round trip: one call out, one callback."""
    round_trips(rig, o, table, say, "trip", 1)


def order(rig, o, table, say):
    """The broker's whole order: two calls out, two callbacks."""
    round_trips(rig, o, table, say, "order", 2)


def store_bytes(server):
    return sum(file.stat().st_size for file in server.store.parent.glob(f"{server.store.name}*"))


def settled_rss(server):
    """What the process keeps once it is at rest: it gives memory back now and then."""
    least, since = rss_bytes(server.process.child.pid), time.monotonic()
    while time.monotonic() - since < RSS_REST_S:
        time.sleep(0.5)
        now = rss_bytes(server.process.child.pid)
        if now < least:
            least, since = now, time.monotonic()
    return rss_bytes(server.process.child.pid)


def park(rig, server, count, say):
    """Starts count waiters: what the start told, and how long they took to be parked after it."""
    before = server.figures()["parked"]
    told = rig.start_flows(server, "waiter", count, connections=256, body=INPUT)
    begun = time.monotonic()

    def parked():
        figures = server.figures()
        say(f"{before + count - figures['parked']} flows to be parked")
        return figures["parked"] == before + count and figures["resident"] == 0
    poll(parked, 60 + count / 1000, f"{count} idle flows were to be parked", pause=0.2)
    return told, time.monotonic() - begun


def first_answered(rig, server, path):
    """Kill -9, start, and one callback to a parked flow that then ends: seconds from the start."""
    ended = server.figures()["flows"] - 1
    one = rig.paths([path], "one")
    os.kill(server.process.child.pid, signal.SIGKILL)
    rig.crew.kill(server.process)
    begun = time.monotonic()
    server.start()
    rig.load(server.address, one, 1, 200, requests=1, body=BODY)
    poll(lambda: server.figures()["flows"] <= ended, 60, "the flow was to end", pause=0.001)
    return time.monotonic() - begun


class Parked:
    """A server with so many parked flows, and what is measured of it. Figures that are to be compared stand
    as "growth" with those of a server that has few."""

    def __init__(self, rig, o, table, say, count):
        self.rig, self.o, self.table, self.count = rig, o, table, count
        self.say = lambda text: say(f"{count} parked: {text}")
        self.settings = {"parked": count, "input_bytes": len(INPUT)}
        self.server = rig.server()
        self.server.start()

    def add(self, name, value, unit, ratio=None, of=None):
        self.table.add(name, self.settings, value, unit, ratio, of)

    def park(self, few):
        """RAM and disk of all but the first few, in a process that is not restarted meanwhile."""
        park(self.rig, self.server, few, self.say)
        rss, disk = settled_rss(self.server), store_bytes(self.server)
        told, park_s = park(self.rig, self.server, self.count - few, self.say)
        more = self.count - few
        self.add("parked.starts", told["answered"] / told["seconds"], "1/s")
        self.add("parked.park_time", park_s, "s")
        self.add("parked.rss_each", (settled_rss(self.server) - rss) / more, "bytes")
        self.add("parked.disk_each", (store_bytes(self.server) - disk) / more, "bytes")

    def find_paths(self):
        """Where the flows wait, in an order that is not that of their starts."""
        _, self.paths = self.rig.hook_paths(self.server, self.count)
        random.Random(self.count).shuffle(self.paths)
        self.server.lines.write_text("")

    def first_answered(self):
        self.say("restart")
        return first_answered(self.rig, self.server, self.paths.pop())

    def begin_ingest(self):
        self.rig.start_flows(self.server, "taker", self.o.waiting)
        self.takers, _ = self.rig.hook_paths(self.server, self.o.waiting)

    def ingest(self, beside=None):
        """Into resident flows; beside: what it came to on the other server. Returns the rate."""
        self.say("ingest")
        told = measured(self.rig, self.server.process.child.pid, self.server.address, self.takers, 64,
                        status=200, seconds=self.o.seconds, body=BODY)
        self.add("growth.acks", told["rate"], "1/s", told["rate"] / beside if beside else None, "few parked")
        self.add("growth.cpu", told["cpu_us"], "us")
        self.add("growth.ack_p99", told["p99_us"], "us")
        return told["rate"]

    def wake(self):
        """Delivers to each flow once, in random order; all end."""
        self.say("delivering to all")
        told = measured(self.rig, self.server.process.child.pid, self.server.address,
                        self.rig.paths(self.paths, "rest"), 64, status=200, once=True, body=BODY)
        poll(lambda: self.server.figures()["flows"] == self.o.waiting, 60, "all flows were to end")
        ended = self.server.figures()["ended"]
        if ended != len(self.paths) + 1:
            raise Failed(f"{len(self.paths) + 1} flows were to end since the restart, {ended} did")
        self.add("parked.woken", told["rate"], "1/s")
        self.add("parked.woken_cpu", told["cpu_us"], "us")
        self.add("parked.woken_p99", told["p99_us"], "us")
        self.add("parked.lost", 0, "flows")


def parked_beside(rig, o, table, say, count):
    """Many and few, one after the other in each run, so that what else the machine does weighs alike."""
    few = Parked(rig, o, table, say, min(1000, count // 2))
    many = Parked(rig, o, table, say, count)
    few.park(few.count // 2)
    many.park(few.count)
    for each in (few, many):
        each.find_paths()
    for _ in range(min(RESTARTS, few.count // 2)):
        took = [each.first_answered() for each in (few, many)]
        few.add("parked.first_answer", took[0], "s")
        many.add("parked.first_answer", took[1], "s")
        many.add("parked.first_answer_more", took[1] - took[0], "s")
    for each in (few, many):
        each.begin_ingest()
    for _ in range(o.runs):
        many.ingest(beside=few.ingest())
    for each in (few, many):
        each.wake()
        rig.end(each.server)


def parked(rig, o, table, say):
    """Flows that wait on disk: RAM, disk, restart, ingest beside them, and that none is lost; many beside few."""
    for count in o.parked:
        parked_beside(rig, o, table, say, count)


def asks(to, path, body):
    """A connection that has made a request and may make another."""
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nX: {'y' * 1000}\r\nContent-Length: {len(body)}\r\n\r\n"
    to.sendall((head + body).encode())
    told = b""
    while b"\r\n\r\n" not in told:
        some = to.recv(65536)
        if not some:
            raise Failed("the server closed a connection that was to rest")
        told += some
    return int(told.split()[1])


def connect_idle(server, path, count, held):
    """Half of them have asked for something, every twentieth has delivered."""
    host, port = server.address.split(":")
    for number in range(count):
        one = socket.create_connection((host, int(port)))
        held.append(one)
        if number % 20 == 0 and asks(one, path, BODY * 30) != 200:
            raise Failed("a delivery was not taken")
        if number % 20 and number % 2 == 0 and asks(one, "/", "") != 404:
            raise Failed("there is something at /")


def idle(rig, o, table, say):
    """RAM that connections take which rest between requests."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = o.idle + FILES_BESIDE
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise Failed(f"{o.idle} connections need {wanted} open files, and {hard} are allowed: --idle takes fewer")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    for run in range(o.runs):
        say(f"idle, run {run + 1} of {o.runs}, {o.idle} connections")
        most = str(o.idle + 10)
        server = rig.server(flags=("--connections", most, "--connections-per-address", most,
                                   "--idle-timeout", "10m", "--head-timeout", "10m"))
        server.start()
        rig.start_flows(server, "taker", 1)
        _, urls = rig.hook_paths(server, 1)
        held = []
        try:
            before = rss_bytes(server.process.child.pid)
            connect_idle(server, urls[0], o.idle, held)
            each = (rss_bytes(server.process.child.pid) - before) / o.idle
        finally:
            for one in held:
                one.close()
        table.add("idle.rss_each", {"connections": o.idle}, each, "bytes")
        rig.end(server)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


GROUPS = {"ingest": ingest, "trip": trip, "order": order, "parked": parked, "idle": idle}
