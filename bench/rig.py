"""The processes of one measurement: a server of bench/server.c, nginx, the generators, and what the
system says of them.

All of it listens on loopback, lives in one folder and ends with the context (examples/broker/crew.py
sees to that). CPU is that of all threads of all of a server's processes, as the kernel has counted it.
"""
import json
import mmap
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "examples" / "broker"))

from crew import Broker, Crew, Failed, poll  # noqa: E402

PATIENCE_S = 60
HISTOGRAM_BUCKETS = 2048            # as in bench/histogram.h
HISTOGRAM_STEP_BITS = 5
# One process, as with worker_processes 1; a worker would outlive its master when that is killed.
NGINX = """
daemon off; master_process off; pid %(folder)s/nginx.pid; error_log %(folder)s/nginx.log;
events { worker_connections 1024; }
http {
    access_log off; keepalive_requests 100000000; client_body_temp_path %(folder)s/body;
    proxy_temp_path %(folder)s/p; fastcgi_temp_path %(folder)s/f; uwsgi_temp_path %(folder)s/u;
    scgi_temp_path %(folder)s/s;
    server { listen 127.0.0.1:%(port)d; location / { return 204; } }
}
"""


def cpu_seconds(pid):
    """Of the process's threads and of its children, since they began: user and system."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
            children = (task / "children").read_text().split()
        except FileNotFoundError:       # it ended while we looked
            continue
        total += sum(cpu_seconds(child) * 1e9 for child in children)
    return total / 1e9


def rss_bytes(pid):
    words = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)
    return int(words.group(1)) * 1024


def bucket_value(bucket):
    """The smallest value of a bucket of bench/histogram.h."""
    if bucket < 1 << HISTOGRAM_STEP_BITS:
        return bucket
    shift = (bucket >> HISTOGRAM_STEP_BITS) - 1
    return ((bucket & ((1 << HISTOGRAM_STEP_BITS) - 1)) + (1 << HISTOGRAM_STEP_BITS)) << shift


class Resumed:
    """How long deliveries took from their sending to the flow that took them; the server counts."""

    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(8 * HISTOGRAM_BUCKETS))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)

    def counts(self):
        return struct.unpack(f"{HISTOGRAM_BUCKETS}Q", self.map[:])

    def since(self, before, share):
        """The percentile in microseconds of what was counted after counts() gave before."""
        new = [now - was for now, was in zip(self.counts(), before)]
        wanted, seen = share * sum(new), 0
        for bucket, count in enumerate(new):
            seen += count
            if seen and seen >= wanted:
                return bucket_value(bucket) / 1000
        raise Failed("no flow was resumed: the bench's server did not count")


class Server(Broker):
    def figures(self):
        """After the greatest id there is: so no flow is listed, and none is fetched for it."""
        return self.admin(f"/flows?limit=1&after=7{25 * 'z'}")[1]["figures"]


class Rig:
    """A context; folder is where the store lies, so its disk is the one that is measured."""

    def __init__(self, build, folder):
        self.bin = Path(build) / "bench"
        self.where = Path(folder)
        self.crew = Crew(keep_on_failure=False)
        self.made = 0

    def __enter__(self):
        for name in ("server", "load", "partner", "disk"):
            if not (self.bin / f"bench_{name}").is_file():
                raise Failed(f"there is no bench_{name} in {self.bin}: `make bench` builds it, or "
                             f"ninja -C {self.bin.parent} bench")
        self.where.mkdir(parents=True, exist_ok=True)
        self.crew.__enter__()
        return self

    def __exit__(self, *error):
        for file in self.where.glob("bench-*"):
            file.unlink()
        return self.crew.__exit__(*error)

    def server(self, peer="http://127.0.0.1:1", flags=()):
        """A new server with a store of its own."""
        self.made += 1
        name = f"bench-{os.getpid()}-{self.made}"
        resumed = Resumed(self.crew.folder / f"{name}.resumed")
        lines = self.crew.folder / f"{name}.lines"
        server = Server(self.crew, self.bin / "bench_server", name,
                        {"FISH_PEER": peer, "BENCH_RESUMED": str(resumed.path)},
                        self.where / f"{name}.db", ("--log", lines, *flags))
        server.lines, server.resumed = lines, resumed
        server.address = f"127.0.0.1:{server.port.getsockname()[1]}"
        return server

    def end(self, server):
        server.kill()
        for file in self.where.glob(f"{server.store.name}*"):
            file.unlink()
        server.lines.unlink(missing_ok=True)

    def nginx(self):
        port = self.crew.hold_port().getsockname()[1]
        conf = self.crew.folder / "nginx.conf"
        conf.write_text(NGINX % {"folder": self.crew.folder, "port": port})
        try:
            process = self.crew.start(["nginx", "-p", self.crew.folder, "-e",
                                       self.crew.folder / "nginx.log", "-c", conf],
                                      self.crew.folder / "nginx.out")
        except FileNotFoundError:
            raise Failed("nginx is not installed: scripts/deps bench installs it") from None
        process.address = f"127.0.0.1:{port}"

        def answers():
            if not process.alive():
                raise Failed(f"nginx ended; {process.last_words()}")
            try:
                return self.load(process.address, self.paths(["/"]), 1, requests=1)
            except Failed:
                return None
        poll(answers, PATIENCE_S, "nginx does not answer")
        return process

    def partner(self, server):
        process = self.crew.start([self.bin / "bench_partner", "--server", server.address],
                                  self.crew.folder / "partner.log")
        process.must_be_ready()
        return process

    def paths(self, paths, name="paths"):
        file = self.crew.folder / name
        file.write_text("".join(f"{path}\n" for path in paths))
        return file

    def run(self, *words):
        ran = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, check=False)
        if ran.returncode:
            raise Failed(f"{words[0].name}: {ran.stderr.strip() or ran.returncode}")
        return json.loads(ran.stdout)

    def load(self, to, paths, connections, status=None, **options):
        """Runs the generator. status: what each answer has to be."""
        words = [self.bin / "bench_load", "--to", to, "--paths", paths, "--connections", connections]
        for name, value in options.items():
            words += [f"--{name}"] if value is True else [f"--{name}", value]
        told = self.run(*words)
        if status and set(told["statuses"]) != {str(status)}:
            raise Failed(f"not all answers were {status}: {told['statuses']}")
        return told

    def disk(self, size, seconds):
        return self.run(self.bin / "bench_disk", self.where / f"bench-{os.getpid()}-sync", size, seconds)

    def start_flows(self, server, flow, count, connections=64, body="{}"):
        """Starts so many flows: what the generator tells."""
        return self.load(f"unix:{server.socket}", self.paths([f"/flows/{flow}"], "start"),
                         min(connections, count), 202, requests=count, body=body)

    def hook_paths(self, server, count):
        """The paths of the URLs that flows have logged."""
        def logged():
            found = re.findall(r"flow\.log .*?(/h/\S+)", server.lines.read_text())
            return len(found) >= count and list(dict.fromkeys(found))
        found = poll(logged, PATIENCE_S, f"{count} flows were to log their URL")
        return self.paths(found, f"hooks-{server.store.stem}"), found


__all__ = ["Failed", "Rig", "cpu_seconds", "poll", "rss_bytes"]
