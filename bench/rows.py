"""What is measured: each function runs one group and hands its figures to a Table.

A figure is the median of its runs; a ratio is made within each run and the median of those, since
nothing else can be compared on a machine that others use too.
"""
import os
import signal
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


def ingest_once(rig, o, nginx, paths, server, table, connections, more):
    """Fish and nginx one after the other, under the same posts."""
    pid = server.process.child.pid
    before, commits = server.resumed.counts(), server.figures()["commits"]
    fish = measured(rig, pid, server.address, paths, connections, status=200, seconds=o.seconds,
                    body=BODY, **more)
    commits = server.figures()["commits"] - commits
    resumed = [server.resumed.since(before, share) for share in (0.5, 0.99)]
    limit = measured(rig, nginx.child.pid, nginx.address, paths, connections, status=204,
                     seconds=o.seconds, body=BODY, **more)
    settings = {"connections": connections, "waiting": o.waiting, **({"message_ids": True} if more else {})}
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


def park(rig, server, count, say):
    """Starts count waiters: what the start told, and how long they took to be parked after it."""
    told = rig.start_flows(server, "waiter", count, body=INPUT)
    begun = time.monotonic()

    def parked():
        left = server.figures()["resident"]
        say(f"{left} flows to be parked")
        return left == 0
    poll(parked, 60 + count / 1000, f"{count} idle flows were to be parked", pause=0.1)
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


def parked_count(rig, o, table, say, count):
    server = rig.server()
    server.start()
    few = min(1000, count // 2)
    settings = {"parked": count, "input_bytes": len(INPUT)}
    say(f"parked, {count} flows")
    park(rig, server, few, say)
    rss, disk = rss_bytes(server.process.child.pid), store_bytes(server)
    told, park_s = park(rig, server, count - few, say)
    more = count - few
    table.add("parked.starts", settings, told["answered"] / told["seconds"], "1/s")
    table.add("parked.park_time", settings, park_s, "s")
    table.add("parked.rss_each", settings, (rss_bytes(server.process.child.pid) - rss) / more, "bytes")
    table.add("parked.disk_each", settings, (store_bytes(server) - disk) / more, "bytes")
    _, paths = rig.hook_paths(server, count)
    restarts = min(9, few)
    for n in range(restarts):
        say(f"parked, {count} flows: restart {n + 1} of {restarts}")
        table.add("parked.first_answer", settings, first_answered(rig, server, paths.pop()), "s")
    say(f"parked, {count} flows: delivering to all")
    told = measured(rig, server.process.child.pid, server.address, rig.paths(paths, "rest"), 64,
                    status=200, once=True, body=BODY)
    poll(lambda: server.figures()["flows"] == 0, 60, "all flows were to end")
    ended = server.figures()["ended"]
    if ended != len(paths) + 1:
        raise Failed(f"{len(paths) + 1} flows were to end since the restart, {ended} did")
    table.add("parked.woken", settings, told["rate"], "1/s")
    table.add("parked.woken_cpu", settings, told["cpu_us"], "us")
    table.add("parked.lost", settings, 0, "flows")
    rig.end(server)


def parked(rig, o, table, say):
    """Flows that wait on disk: RAM, disk, restart, and that none is lost."""
    for count in o.parked:
        parked_count(rig, o, table, say, count)


def growth(rig, o, table, say):
    """Ingest into resident flows beside many parked ones, against beside few."""
    for count in (o.parked[0] // 10, o.parked[-1]):
        server = rig.server()
        server.start()
        say(f"growth, {count} flows parked beside")
        park(rig, server, count, say)
        server.lines.write_text("")
        rig.start_flows(server, "taker", o.waiting)
        paths, _ = rig.hook_paths(server, o.waiting)
        for run in range(o.runs):
            say(f"growth, {count} flows parked beside, run {run + 1} of {o.runs}")
            told = measured(rig, server.process.child.pid, server.address, paths, 64, status=200,
                            seconds=o.seconds, body=BODY)
            settings = {"connections": 64, "parked": count}
            table.add("growth.acks", settings, told["rate"], "1/s")
            table.add("growth.cpu", settings, told["cpu_us"], "us")
            table.add("growth.ack_p99", settings, told["p99_us"], "us")
        rig.end(server)


GROUPS = {"ingest": ingest, "trip": trip, "order": order, "parked": parked, "growth": growth}
