"""What the end-to-end tests share: where the programs are, a partner that writes everything down,
a server with one flow that mirrors what it is sent, and ways to send good and bad requests.

FISH_E2E_DIR is the folder of the built test programs, FISH_BROKER the broker; without them both
are looked for in the build folder FISH_BUILD.
"""
import http.client
import json
import os
import socket
import sys
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples" / "broker"))

from crew import Broker, Crew, Failed, poll  # noqa: E402

PATIENCE_S = 20


def program(name):
    build = Path(os.environ.get("FISH_BUILD", ROOT / "build" / "release"))
    asked = [os.environ.get("FISH_BROKER")] if name == "broker" else []
    if "FISH_E2E_DIR" in os.environ:
        asked.append(f"{os.environ['FISH_E2E_DIR']}/{name}")
    for path in [*asked, build / "tests" / name, build / "tests" / "e2e" / name,
                 build / "examples" / "broker" / name, build / "examples" / name]:
        if path and Path(path).is_file():
            return Path(path).resolve()
    raise Failed(f"there is no program {name} in {build}: build it, or set FISH_E2E_DIR")


class Heard:
    """One request that the partner was sent."""

    def __init__(self, path, headers, body):
        self.path, self.headers, self.body = path, headers, body
        self.key = headers.get("idempotency-key")

    def json(self):
        return json.loads(self.body)


class Partner:
    """An HTTP server in a thread of the test that keeps every request, in the order of arrival."""

    def __init__(self):
        self.heard = []
        self.news = threading.Condition()
        partner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                heard = Heard(self.path, headers, body)
                with partner.news:
                    partner.heard.append(heard)
                    partner.news.notify_all()
                status, answer = partner.answer(heard)
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *words):
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, request, client_address):
                pass            # a server that was killed in the middle of its call

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def answer(self, heard):
        """Status and body of the answer: what a scripted partner overrides."""
        return 200, b""

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def told(self, path, since=0):
        """What came to path, each key once: a call made again after a kill is the same call."""
        seen = {}
        with self.news:
            for heard in self.heard[since:]:
                if heard.path == path:
                    seen.setdefault(heard.key, heard)
        return list(seen.values())

    def wait_told(self, path, count, since=0):
        with self.news:
            came = self.news.wait_for(lambda: len(self.keys(path, since)) >= count, PATIENCE_S)
        if not came:
            raise Failed(f"{path} was to come {count} times and came "
                         f"{len(self.told(path, since))} times")
        return self.told(path, since)

    def keys(self, path, since):
        return {heard.key for heard in self.heard[since:] if heard.path == path}


class MirrorCase(unittest.TestCase):
    """Each test has a crew, a partner, and a server of its own that runs tests/e2e/bodies.c."""

    flags = ()
    env = {}

    def setUp(self):
        self.crew = self.enterContext(Crew(keep_on_failure=False))
        self.partner = Partner()
        self.addCleanup(self.partner.close)
        self.server = Broker(self.crew, program("bodies"), "bodies",
                             {"PARTNER_URL": self.partner.url, **self.env}, flags=self.flags)
        self.server.start()

    def mirror(self, messages, name="m"):
        """Starts a flow that takes so many messages: its id and its hook's URL."""
        before = len(self.partner.told("/url"))
        flow = self.server.admin("/flows/mirror", "POST", json.dumps({"messages": messages,
                                                                      "name": name}))[1]["id"]
        return flow, self.partner.wait_told("/url", before + 1)[-1].json()["url"]

    def wait_end(self, flow):
        """The flow as shown, once it has ended."""
        return poll(lambda: (shown := self.server.flow(flow))["state"] == "ended" and shown,
                    PATIENCE_S,
                    lambda: f"it never ended: {json.dumps(self.server.flow(flow), indent=1)}")

    def restart(self, env=()):
        self.server.kill()
        self.server.start(env)


def send(url, body=b"", method="POST", headers=(), chunks=None):
    """Status and headers of the answer. With chunks, the body goes out in chunks of so many bytes.
    OSError or HTTPException when no answer came."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE_S)
    try:
        if chunks:
            pieces = (body[at:at + chunks] for at in range(0, len(body), chunks))
            connection.request(method, parts.path, body=pieces, headers=dict(headers),
                               encode_chunked=True)
        else:
            connection.request(method, parts.path, body=body, headers=dict(headers))
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, told, answer.read()
    finally:
        connection.close()


def deliver(url, body=b"", message_id=None, **how):
    """The status of a delivery, or None when no answer came."""
    headers = dict(how.pop("headers", ()))
    if message_id:
        headers["webhook-id"] = message_id
    try:
        return send(url, body, headers=headers, **how)[0]
    except (OSError, http.client.HTTPException):
        return None


def send_raw(url, text):
    """The status that these very bytes are answered with, None when the connection just ends."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), PATIENCE_S) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while b"\r\n" not in answer:
            some = connection.recv(65536)
            if not some:
                break
            answer += some
    first = answer.split(b"\r\n")[0].split(b" ")
    return int(first[1]) if len(first) > 1 else None
