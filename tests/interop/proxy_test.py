"""nginx and haproxy in front, and all requests of vectors/http1 through them: proxy and Fish agree where each
request ends.

The proxy marks each request that it passes on; a relay behind it counts the marks and Fish's answers on each
connection. More answers than marks: Fish saw a request where the proxy saw none, and that is smuggling.
"""
import os
import re
import shutil
import socket
import threading
import unittest
from pathlib import Path
from urllib.parse import urlsplit

from kit import Case, PATIENCE_S, poll

VECTORS = Path(os.environ.get("FISH_VECTORS", Path(__file__).resolve().parents[3] / "shared" / "vectors"))
REQUESTS = VECTORS / "http1" / "request"
ANSWER_S = 0.25                  # a proxy that has not answered by then waits for more
MARK = b"\r\nx-fish-mark: "
STATUS = re.compile(rb"HTTP/1\.1 [2-9]\d\d ")    # 100 Continue is no answer

NGINX = """
daemon off; master_process off; pid %(folder)s/nginx.pid; error_log %(folder)s/nginx.log;
events { worker_connections 512; }
http {
    access_log off; client_body_temp_path %(folder)s/b; proxy_temp_path %(folder)s/p;
    fastcgi_temp_path %(folder)s/f; uwsgi_temp_path %(folder)s/u; scgi_temp_path %(folder)s/s;
    upstream fish { server 127.0.0.1:%(to)d; keepalive 4; }
    server {
        listen 127.0.0.1:%(port)d; proxy_http_version 1.1; proxy_set_header Connection "";
        proxy_set_header X-Fish-Mark $request_id;
        location / { rewrite ^ %(path)s break; proxy_pass http://fish; }
    }
}
"""
HAPROXY = """
defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 5s
    option http-keep-alive
frontend in
    bind 127.0.0.1:%(port)d
    unique-id-format %%{+X}o%%pid-%%rt-%%Ts
    unique-id-header X-Fish-Mark
    default_backend fish
backend fish
    http-reuse always
    http-request set-path %(path)s
    server one 127.0.0.1:%(to)d
"""


class Relay:
    """Passes on what comes, both ways, and keeps it by connection."""

    def __init__(self, to):
        self.to, self.connections = to, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(self.to)
            seen = {"asked": b"", "answered": b"", "open": 2}
            self.connections.append(seen)
            for pair in ((near, far, "asked"), (far, near, "answered")):
                threading.Thread(target=self.carry, args=(*pair, seen), daemon=True).start()

    @staticmethod
    def carry(source, target, name, seen):
        try:
            while data := source.recv(65536):
                seen[name] += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        seen["open"] -= 1
        if seen["open"] == 0:
            source.close()
            target.close()

    def close(self):
        self.listener.close()

    def counts(self):
        """Of each connection: marks, answers, and whether both sides still have it open."""
        return [(seen["asked"].lower().count(MARK), len(STATUS.findall(seen["answered"])), seen["open"] == 2)
                for seen in self.connections]

    def settled(self):
        return all(marks == answers or not is_open for marks, answers, is_open in self.counts())


@unittest.skipUnless(REQUESTS.is_dir(), f"there is no {REQUESTS}")
class Proxy(Case):
    def behind(self, argv, config, template):
        flow, url = self.take("probe", messages=1_000_000)
        to = urlsplit(url)
        self.relay = Relay((to.hostname, to.port))
        self.addCleanup(self.relay.close)
        port = self.crew.hold_port().getsockname()[1]
        config.write_text(template % {"folder": self.crew.folder, "port": port, "to": self.relay.port,
                                      "path": to.path})
        self.crew.start(argv, self.crew.folder / "proxy.log")
        self.front = ("127.0.0.1", port)
        poll(lambda: self.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1").startswith(b"HTTP/1.1 200"),
             PATIENCE_S, "the proxy does not pass on")
        return flow

    def send(self, data):
        """What the proxy answers to these bytes, until it closes or is silent for a while."""
        told = b""
        try:
            with socket.create_connection(self.front, PATIENCE_S) as to:
                to.sendall(data)
                to.settimeout(ANSWER_S)
                while part := to.recv(65536):
                    told += part
                    if STATUS.match(told) and b"\r\n\r\n" in told:
                        break
        except OSError:
            pass
        return told

    def agree(self, flow):
        passed_on = 0
        for vector in sorted(REQUESTS.glob("*.raw")):
            begun = len(self.relay.connections)
            before = sum(marks for marks, _, _ in self.relay.counts())
            self.send(vector.read_bytes())
            poll(self.relay.settled, PATIENCE_S, lambda: f"{vector.name}: marks and answers: {self.relay.counts()[begun - 1:]}")
            for marks, answers, is_open in self.relay.counts():
                self.assertLessEqual(answers, marks, f"{vector.name}: Fish saw a request that the proxy did not")
                self.assertLessEqual(marks - answers, 0 if is_open else 1, f"{vector.name}: a request had no answer")
            passed_on += sum(marks for marks, _, _ in self.relay.counts()) - before
        self.assertGreater(passed_on, 50)            # else it has shown nothing
        self.assertGreater(self.received(flow), 10)

    @unittest.skipUnless(shutil.which("nginx"), "nginx is not installed")
    def test_nginx(self):
        config = self.crew.folder / "nginx.conf"
        self.agree(self.behind(["nginx", "-p", self.crew.folder, "-e", self.crew.folder / "nginx.log", "-c", config],
                               config, NGINX))

    @unittest.skipUnless(shutil.which("haproxy"), "haproxy is not installed")
    def test_haproxy(self):
        config = self.crew.folder / "haproxy.cfg"
        self.agree(self.behind(["haproxy", "-db", "-f", config], config, HAPROXY))


if __name__ == "__main__":
    unittest.main()
