"""The door as its operator sets it up: a socket file, proxies in front, slow and many senders, a stop with
senders under way."""
import json
import os
import re
import resource
import signal
import socket
import stat
import subprocess
import threading
import time
import unittest
from pathlib import Path
from urllib.parse import urlsplit

from lib import PATIENCE_S, ROOT, MirrorCase, deliver, poll, send
from crew import UnixConnection

IDLE = 10000
IDLE_BYTES_EACH_MAX = 4096
SLOW = 200
SOONER_S = 8             # than the default of --rate-grace


class Raw:
    """A connection whose bytes the test writes itself."""

    def __init__(self, url, source=None):
        parts = urlsplit(url)
        self.path = parts.path
        self.socket = socket.create_connection((parts.hostname, parts.port), PATIENCE_S,
                                               (source, 0) if source else None)

    def send(self, text):
        self.socket.sendall(text.replace("PATH", self.path).encode())

    def rest(self):
        """All that comes until the server closes."""
        came = b""
        while some := self.socket.recv(65536):
            came += some
        return came.decode()

    def answer(self):
        """One answer with a Content-Length."""
        came = b""
        while b"\r\n\r\n" not in came:
            some = self.socket.recv(65536)
            if not some:
                return came.decode()
            came += some
        head, _, body = came.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
        while len(body) < length:
            body += self.socket.recv(65536)
        return (head + b"\r\n\r\n" + body).decode()

    def close(self):
        self.socket.close()


def drip_until_cut(case, one):
    """A byte now and then, far too few in any stretch of time."""
    stop = threading.Event()

    def drip():
        while not stop.wait(0.01):
            try:
                one.send("x")
            except OSError:
                return
    thread = threading.Thread(target=drip)
    thread.start()
    try:
        case.assertIn("HTTP/1.1 408 ", one.rest())
    except ConnectionResetError:
        pass                    # it dripped into the closed connection
    finally:
        stop.set()
        thread.join()


class DoorCase(MirrorCase):
    def raw(self, url, source=None):
        one = Raw(url, source)
        self.addCleanup(one.close)
        return one

    def exported(self, flow):
        return self.server.command("export", flow)


class SocketFile(DoorCase):
    def setUp(self):
        super().setUp()
        self.server.kill()
        self.path = self.crew.folder / "door"
        self.again("--trusted-proxy", "unix")

    def again(self, *flags):
        self.server.flags = ("--listen", f"unix:{self.path}", "--public-url", "http://door.example/x", *flags)
        self.server.start()

    def post(self, url, headers=()):
        connection = UnixConnection(self.path)
        try:
            connection.request("POST", urlsplit(url).path.removeprefix("/x"), body=b"{}", headers=dict(headers))
            return connection.getresponse().status
        finally:
            connection.close()

    def test_deliveries_come_through_it(self):
        self.assertEqual(self.server.process.url, f"unix:{self.path}")
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        flow, url = self.mirror(2)
        self.assertTrue(url.startswith("http://door.example/x/h/"), url)
        self.assertEqual(self.post(url), 200)
        self.assertEqual(self.post(url, {"X-Forwarded-For": "192.0.2.7"}), 200)
        self.wait_end(flow)
        self.assertEqual(re.findall(r":peer: ([^\\]*)", self.exported(flow)), ["unix", "192.0.2.7"])

    def test_the_file_goes_with_a_stop_and_is_replaced_after_a_kill(self):
        self.server.process.stop()
        self.assertFalse(self.path.exists())
        self.crew.processes.remove(self.server.process)
        self.again("--listen-mode", "660")
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o660)
        self.server.kill()
        self.assertTrue(self.path.exists())
        self.again()
        _, url = self.mirror(1)
        self.assertEqual(self.post(url), 200)

    def test_a_living_servers_file_is_left_alone(self):
        other = self.crew.folder / "other.db"
        ran = subprocess.run([self.server.program, "serve", "--store", other, "--socket", self.crew.folder / "s",
                              "--listen", f"unix:{self.path}", "--public-url", "http://a.example"],
                             env={**os.environ, "PARTNER_URL": self.partner.url}, capture_output=True, text=True,
                             timeout=PATIENCE_S)
        self.assertEqual(ran.returncode, 1)
        self.assertIn("a running server answers there", ran.stderr)
        _, url = self.mirror(1)
        self.assertEqual(self.post(url), 200)


class Proxies(DoorCase):
    flags = ("--trusted-proxy", "127.0.0.1,10.0.0.0/8", "--connections-per-address", "2")

    def peers(self, flow):
        return re.findall(r":peer: ([^\\]*)", self.exported(flow))

    def test_the_asker_is_whom_believed_proxies_name(self):
        cases = [({}, r"127\.0\.0\.1:\d+"),
                 ({"X-Forwarded-For": "6.6.6.6, 192.0.2.1, 10.1.1.1"}, r"192\.0\.2\.1"),
                 ({"Forwarded": 'for="[2001:db8::9]:443";proto=https'}, "2001:db8::9"),
                 ({"Forwarded": "for=6.6.6.6", "X-Forwarded-For": "192.0.2.1"}, r"127\.0\.0\.1:\d+"),
                 ({"X-Forwarded-For": "6.6.6.6, \\\"\t<script>;--"}, r"127\.0\.0\.1:\d+")]
        flow, url = self.mirror(len(cases))
        for headers, _ in cases:
            self.assertEqual(send(url, b"{}", headers=headers)[0], 200)
        self.wait_end(flow)
        seen = self.peers(flow)
        self.assertEqual(len(seen), len(cases))
        for peer, (headers, expected) in zip(seen, cases):
            self.assertRegex(peer, rf"\A{expected}\Z", headers)

    def test_others_are_not_believed_and_have_only_so_many_connections(self):
        flow, url = self.mirror(1)
        held = [self.raw(url, "127.0.0.2") for _ in range(2)]
        held[0].send("POST PATH HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\nContent-Length: 2\r\n\r\n{}")
        self.assertIn("200 OK", held[0].answer())
        held[1].send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertIn("404", held[1].answer())
        third = self.raw(url, "127.0.0.2")
        self.assertRegex(third.rest(), r"\AHTTP/1\.1 429 (.*\r\n)*Retry-After: 1\r\n")
        self.assertEqual(send(url + "x")[0], 404)     # from the address of a proxy
        self.wait_end(flow)
        self.assertRegex(self.peers(flow)[0], r"\A127\.0\.0\.2:\d+\Z")


class Slow(DoorCase):
    flags = ("--rate-grace", "400ms", "--min-rate", "4k", "--connections-per-address", str(SLOW * 2))

    def test_slow_ones_are_cut_while_a_good_one_is_served(self):
        flow, url = self.mirror(20)
        begun = time.monotonic()
        slow = []
        for number in range(SLOW):
            one = self.raw(url)
            one.send("POST PATH HTTP/1.1\r\nHost: a\r\nContent-Le" if number % 2 else
                     "POST PATH HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n" + "x" * 100)
            slow.append(one)
        longest = 0
        for number in range(20):
            at = time.monotonic()
            self.assertEqual(deliver(url, b"{}", str(number)), 200)
            longest = max(longest, time.monotonic() - at)
        for one in slow:
            self.assertRegex(one.rest(), r"\AHTTP/1\.1 408 (.*\r\n)*Connection: close\r\n")
        self.assertLess(time.monotonic() - begun, PATIENCE_S)
        self.assertLess(longest, 2, "the good one had to wait")
        self.wait_end(flow)

    def test_a_drip_wins_no_time(self):
        _, url = self.mirror(1)
        one = self.raw(url)
        one.send("POST PATH HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n")
        drip_until_cut(self, one)


class SlowElsewhere(DoorCase):
    """At named doors and at the admin listener: the very requests that start flows there."""

    flags = ("--rate-grace", "300ms", "--min-rate", "4k", "--admin", "127.0.0.1:0")
    env = {"FISH_ADMIN_TOKEN": "t0ken-of-16-chars"}

    def places(self):
        address, port = self.server.port.getsockname()
        admin = poll(lambda: re.search(r"admin on (http://\S+), its token", self.server.log.read_text()), PATIENCE_S,
                     "no admin listener")[1]
        return {f"http://{address}:{port}/in/mirror": "", f"{admin}/flows/mirror": "Authorization: Bearer t0ken-of-16-chars\r\n"}

    def setUp(self):
        super().setUp()
        self.begun = time.monotonic()

    def cut(self, one):
        self.assertRegex(one.rest(), r"\AHTTP/1\.1 408 (.*\r\n)*Connection: close\r\n")

    def test_heads_and_bodies_are_cut(self):
        for url, line in self.places().items():
            with self.subTest(url):
                head = f"POST PATH HTTP/1.1\r\nHost: a\r\n{line}"
                slow = [self.raw(url) for _ in range(4)]
                slow[0].send("P")
                slow[1].send(head)
                slow[2].send(head + "Content-Length: 50000\r\n\r\n" + "x" * 100)
                slow[3].send(head + "Transfer-Encoding: chunked\r\n\r\n10\r\n{")
                good = self.raw(url)
                good.send(head + "Content-Length: 15\r\n\r\n{\"messages\": 0}")
                self.assertRegex(good.answer(), r"\AHTTP/1\.1 20[02] ")
                for one in slow:
                    self.cut(one)
        poll(lambda: len(self.server.flows()) == 2 and not self.server.flows(everything=False), PATIENCE_S,
             "not each good one started a flow, and no other")
        self.assertLess(time.monotonic() - self.begun, SOONER_S)

    def test_a_drip_wins_no_time(self):
        for url, line in self.places().items():
            for begins in ("", "Content-Length: 50000\r\n\r\n"):
                with self.subTest(url, begins=begins):
                    one = self.raw(url)
                    one.send(f"POST PATH HTTP/1.1\r\nHost: a\r\n{line}{begins or 'X: '}")
                    drip_until_cut(self, one)
        self.assertEqual(self.server.flows(), [])
        self.assertLess(time.monotonic() - self.begun, SOONER_S)


class FewFiles(DoorCase):
    def test_connections_are_fewer_than_descriptors(self):
        """Sixty files may be open, so thirty connections: more than that, and idle ones give way."""
        self.server.kill()
        program = self.server.program
        wrapper = self.crew.folder / "few"
        wrapper.write_text(f'#!/bin/sh\nulimit -n 60 && exec "{program}" "$@"\n')
        wrapper.chmod(0o700)
        self.server.program = wrapper
        self.server.start()
        self.assertIn("max=30 wanted=10000", self.server.log.read_text())
        self.server.program = program
        flow, url = self.mirror(1)
        idle = [self.raw(url) for _ in range(80)]
        self.assertEqual(deliver(url, b"{}"), 200)
        self.wait_end(flow)
        self.assertEqual(idle[0].rest(), "")


class Stop(DoorCase):
    def test_what_is_under_way_is_answered_and_the_idle_are_closed(self):
        flow, url = self.mirror(2)
        idle, half, waiting = self.raw(url), self.raw(url), self.raw(url)
        idle.send("POST PATH HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
        first = idle.answer()
        self.assertIn("200 OK", first)
        self.assertNotIn("Connection: close", first)
        half.send("POST PATH HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n\"half")
        waiting.send("POST PATH HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        self.assertTrue(waiting.socket.recv(100).startswith(b"HTTP/1.1 100 "))
        self.server.process.child.send_signal(signal.SIGTERM)
        self.assertEqual(idle.rest(), "")
        with self.assertRaises(OSError):
            poll(lambda: self.raw(url).close(), PATIENCE_S, "it goes on listening")
        half.send("-way\"")
        answer = half.rest()
        self.assertRegex(answer, r"\AHTTP/1\.1 200 OK\r\n")
        self.assertIn("\r\nConnection: close\r\n", answer)
        waiting.send("true")
        self.assertRegex(waiting.rest(), r"\AHTTP/1\.1 \d+ (.*\r\n)*Connection: close\r\n")
        self.assertEqual(self.server.process.child.wait(PATIENCE_S), 0)
        self.restart()
        self.wait_end(flow)
        self.assertIn(b'"half-way"', [heard.body for heard in self.partner.told("/bytes")])


class Vectors(DoorCase):
    """The collected requests against the whole program; http1_vectors has more ways to send them."""

    REFUSALS = {400, 413, 414, 417, 431, 501, 505}

    def verdict(self, request):
        """Of the first answer; the end of a connection that is not answered is the end of waiting."""
        one = self.raw(self.url)
        one.socket.sendall(request)
        one.socket.shutdown(socket.SHUT_WR)
        answer = re.sub(r"\AHTTP/1\.1 100 Continue\r\n\r\n", "", one.rest())
        one.close()
        return "wait" if not answer else "reject" if int(answer.split()[1]) in self.REFUSALS else "accept"

    def test_all(self):
        folder = Path(os.environ.get("FISH_VECTORS", ROOT.parent / "shared" / "vectors")) / "http1"
        if not folder.is_dir():
            self.skipTest(f"no test data in {folder}")
        _, self.url = self.mirror(1)
        lines = (folder / "requests.tsv").read_text().splitlines()
        columns = lines[0].split("\t")
        wrong = []
        for line in lines[1:]:
            case = dict(zip(columns, line.split("\t")))
            seen = self.verdict((folder / case["file"]).read_bytes())
            if case["expect"] != "either" and seen not in case["expect"].split("-or-"):
                wrong.append(f"{case['file']}: expected {case['expect']}, seen {seen}")
        self.assertEqual(wrong, [])
        self.assertGreater(len(lines), 1)


class Idle(DoorCase):
    def resident(self):
        with open(f"/proc/{self.server.process.child.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) * 1024

    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.count = IDLE if hard == resource.RLIM_INFINITY else min(IDLE, hard - 500)
        if self.count < IDLE:
            print(f"notice: this process may have {hard} files open, so only {self.count} connections are measured")
        if soft < self.count + 500:
            resource.setrlimit(resource.RLIMIT_NOFILE, (self.count + 500, hard))
            self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        # One more at each: for the deliveries while they are open.
        self.flags = ("--connections", str(self.count + 10), "--connections-per-address", str(self.count + 10),
                      "--idle-timeout", "10m", "--head-timeout", "10m")
        super().setUp()

    def test_connections_that_rest_take_little(self):
        """Half of them have made a request with a body, half none."""
        flow, url = self.mirror(self.count // 20 + 1)
        before = self.resident()
        held = []
        try:
            for number in range(self.count):
                one = Raw(url)
                held.append(one)
                if number % 20 == 0:
                    body = json.dumps({"text": "x" * 3000})
                    one.send(f"POST PATH HTTP/1.1\r\nHost: a\r\nX: {'y' * 1000}\r\nContent-Length: {len(body)}\r\n\r\n{body}")
                    self.assertIn("200 OK", one.answer())
                elif number % 2 == 0:
                    one.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    self.assertIn("404", one.answer())
            self.assertEqual(deliver(url, b"{}"), 200)
            self.wait_end(flow)
            each = (self.resident() - before) / self.count
            print(f"{self.count} idle connections: {each:.0f} bytes each")
            self.assertLess(each, IDLE_BYTES_EACH_MAX)
        finally:
            for one in held:
                one.close()


if __name__ == "__main__":
    unittest.main()
