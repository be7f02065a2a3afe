"""What happens at the limit of the memory: senders are told to come again, nothing that got a 2xx is
lost, the process stays as small as it was told to, and afterwards all is as before."""
import hashlib
import random
import re
import socket
import threading
import time
import unittest
from urllib.parse import urlsplit

from lib import PATIENCE_S, MirrorCase, deliver, poll, send

MEBIBYTE = 1 << 20
MEMORY = 32 * MEBIBYTE
BODIES_MAX = MEMORY // 4
# What a process takes beside the budget: itself with its libraries (12 MiB), SQLite's cache of pages (up to
# 64 MiB in the process that made the store), the batch that is being committed, and what malloc keeps
# of what was freed.
SLACK = 96 * MEBIBYTE
SENDERS = 192          # who would take more than all of that together
FLOWS = 64
SOONER_S = 8           # than the default of --park-after


def body_of(number):
    return random.Random(number).randbytes(MEBIBYTE)


class Slow:
    """A sender that has sent its head and nothing else, until it is told to go on."""

    def __init__(self, url, number):
        parts = urlsplit(url)
        self.number = number
        self.connection = socket.create_connection((parts.hostname, parts.port), PATIENCE_S)
        self.connection.sendall(f"POST {parts.path} HTTP/1.1\r\nHost: a\r\nwebhook-id: {number}\r\n"
                                f"Content-Length: {MEBIBYTE}\r\n\r\n".encode())

    def finish(self):
        """The status and the head of the answer. Like most clients it sends all before it reads."""
        try:
            self.connection.sendall(body_of(self.number))
            answer = b""
            while b"\r\n\r\n" not in answer:
                some = self.connection.recv(65536)
                if not some:
                    return None, answer.decode()
                answer += some
            return int(answer.split(b" ")[1]), answer.decode()
        finally:
            self.connection.close()


class Limits(MirrorCase):
    flags = ("--memory", str(MEMORY), "--young", "4m", "--retain-for", "1h", "--retain-bytes",
             "64m", "--park-after", "1s")

    def peak(self):
        """The most bytes of memory that the server ever had."""
        with open(f"/proc/{self.server.process.child.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) * 1024

    def logged(self, event):
        return re.findall(rf"^\S+ {re.escape(event)} (.*)$", self.server.log.read_text(), re.MULTILINE)

    def all_at_once(self, urls):
        """The answers to senders that are all there before the first body is whole."""
        senders = [Slow(url, number) for number, url in enumerate(urls)]
        poll(lambda: self.server.figures()["refused"] >= SENDERS - BODIES_MAX // MEBIBYTE, PATIENCE_S,
             lambda: f"too many were let in: {self.server.figures()}")
        self.assertLessEqual(self.server.figures()["bodies"], BODIES_MAX + MEBIBYTE)
        answers = [None] * len(senders)

        def finish(sender):
            answers[sender.number] = sender.finish()
        threads = [threading.Thread(target=finish, args=(sender,)) for sender in senders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def send_until_taken(self, number, url):
        """As a sender who obeys Retry-After does, but for its patience."""
        deadline = time.monotonic() + PATIENCE_S
        while (status := deliver(url, body_of(number), str(number))) != 200:
            self.assertEqual(status, 503)
            self.assertLess(time.monotonic(), deadline, f"{number} was never taken")

    def test_bodies_that_have_no_room_are_sent_again(self):
        mirrors = [self.mirror(1, f"m{number}") for number in range(FLOWS)]
        urls = [url for _, url in mirrors]
        answers = self.all_at_once([urls[number % FLOWS] for number in range(SENDERS)])
        taken = [number for number, (status, _) in enumerate(answers) if status == 200]
        self.assertEqual(len(taken), BODIES_MAX // MEBIBYTE)
        for status, head in answers:
            self.assertIn(status, (200, 503))
            if status == 503:
                self.assertIn("\r\nRetry-After: ", head)
        for number in taken:
            self.wait_end(mirrors[number][0])
        self.assertEqual(len(self.partner.told("/bytes")), len(taken))

        rest = [number for number in range(FLOWS) if number not in taken]
        threads = [threading.Thread(target=self.send_until_taken, args=(number, urls[number]))
                   for number in rest]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for flow, _ in mirrors:
            self.wait_end(flow)
        self.assertEqual({hashlib.sha256(heard.body).digest() for heard in self.partner.told("/bytes")},
                         {hashlib.sha256(body_of(number)).digest() for number in range(FLOWS)})
        self.assertLess(self.peak(), MEMORY + SLACK)
        self.assertEqual(self.server.figures()["bodies"], 0)

    def test_the_log_tells_twice_of_many_refusals(self):
        _, url = self.mirror(1)
        self.all_at_once([url] * SENDERS)
        refused = self.server.figures()["refused"]
        self.assertEqual(len(self.logged("memory.full")), 1, self.server.log.read_text())
        self.assertIn(f"bodies_bytes_max={BODIES_MAX}", self.logged("memory.full")[0])
        poll(lambda: self.logged("memory.room"), PATIENCE_S, "it never said that there is room")
        self.assertIn(f"refused={refused} ", self.logged("memory.room")[0])
        self.assertEqual(len(self.logged("memory.full")), 1)
        self.assertIn(f"{refused} requests refused for want of memory", self.server.command("ls"))

    def test_idle_connections_cost_little(self):
        """Each has had an answer and may ask again."""
        _, url = self.mirror(1)
        parts = urlsplit(url)
        before = self.peak()
        connections = []
        count = 400
        try:
            for _ in range(count):
                one = socket.create_connection((parts.hostname, parts.port), PATIENCE_S)
                connections.append(one)
                one.sendall(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertTrue(one.recv(4096).startswith(b"HTTP/1.1 404 "))
            self.assertLess(self.peak() - before, count * 4096)
        finally:
            for one in connections:
                one.close()

    def test_a_limit_that_makes_no_sense_is_refused(self):
        self.server.kill()
        self.server.flags = ("--memory", "16m", "--max-body", "64m")
        self.assertFalse(self.server.begin().wait_ready())
        self.assertIn("give --memory 256m or more", self.server.log.read_text())

    def test_flows_at_rest_are_parked_and_told_of(self):
        flow, url = self.mirror(1)
        # One who looks sees what stood before: the list itself brings what it lists into memory.
        poll(lambda: "\n1 parked, " in self.server.command("ls"), SOONER_S,
             lambda: f"it was never parked: {self.server.figures()}")
        self.assertEqual(send(url, b"wake")[0], 200)
        self.assertEqual(self.wait_end(flow)["result"], {"messages": 1})


if __name__ == "__main__":
    unittest.main()
