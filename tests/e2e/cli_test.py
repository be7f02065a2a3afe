"""The command line of a program from fish_main: what it prints, what it refuses, and with which words.

Every server is a real process of tests/e2e/echo.c in a folder of its own, on a port that it picks
itself. A test waits for a line or for an end, never for a time.
"""
import json
import os
import pathlib
import re
import select
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

from lib import PATIENCE_S, program

ECHO = str(program("echo"))
ID = r"[0-9a-hjkmnp-tv-z]{26}"
VARIABLES = ("FISH_LISTEN", "FISH_PUBLIC_URL", "FISH_STORE", "FISH_SOCKET", "FISH_ADMIN",
             "FISH_ADMIN_TOKEN", "FISH_MAX_BODY", "FISH_STEPS_MAX", "FISH_LOG", "FISH_TEST_PARK", "NO_COLOR")


def environment(**more):
    env = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return {**env, "FISH_E2E_PEER": "http://127.0.0.1:1", **more}


class Server:
    """A running `serve`; its stderr is kept line by line."""

    def __init__(self, folder, *flags, env=None):
        self.process = subprocess.Popen([ECHO, "serve", "--listen", "127.0.0.1:0", *flags], cwd=folder,
                                        env=env or environment(), stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.errors = []
        self.reader = threading.Thread(target=self.read_errors, daemon=True)
        self.reader.start()
        self.ready = self.process.stdout.readline()

    def read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line)

    @property
    def url(self):
        return self.ready.split()[-1]

    def end(self, number=signal.SIGTERM):
        """Its exit status and what it still printed to stdout."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        rest = self.process.stdout.read()
        status = self.process.wait(PATIENCE_S)
        self.reader.join(PATIENCE_S)
        self.process.stdout.close()
        self.process.stderr.close()
        return status, rest

    def said(self):
        return "".join(self.errors)

    def wait_said(self, pattern):
        """What of its stderr matches, once it does: the reader may lag behind the ready line."""
        give_up = time.monotonic() + PATIENCE_S
        while not (found := re.search(pattern, self.said())):
            if time.monotonic() > give_up or self.process.poll() is not None:
                raise AssertionError(f"no {pattern!r} in {self.said()}")
            select.select([], [], [], 0.005)
        return found


def deliver(url, body):
    """The status of a delivery of JSON."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"})) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    def serve(self, *flags, env=None):
        server = Server(self.folder, *flags, env=env)
        self.addCleanup(lambda: server.process.stdout.closed or server.end(signal.SIGKILL))
        return server

    def run_echo(self, *words, stdin=None, env=None):
        return subprocess.run([ECHO, *words], cwd=self.folder, env=env or environment(), input=stdin,
                              capture_output=True, text=True, timeout=PATIENCE_S)

    def fails(self, status, *words, says=(), env=None, stdin=None):
        """It ends with that status, prints nothing to stdout and says all this to stderr."""
        run = self.run_echo(*words, env=env, stdin=stdin)
        self.assertEqual(run.returncode, status, run)
        self.assertEqual(run.stdout, "")
        self.assertRegex(run.stderr, r"\Aecho: ")
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, run.stderr)
        return run.stderr

    def works(self, *words, stdin=None):
        run = self.run_echo(*words, stdin=stdin)
        self.assertEqual((run.returncode, run.stderr), (0, ""), run)
        return run.stdout

    def show(self, flow):
        return json.loads(self.works("show", flow, "--json"))


class Usage(Case):
    def test_help(self):
        text = self.works("--help")
        for word in ("echo serve", "echo start greet", "greet, await, refuse, knock", "cancel ID"):
            self.assertIn(word, text)
        for command in ("serve", "start", "ls", "show", "cancel"):
            text = self.works(command, "--help")
            self.assertRegex(text, rf"example.*:\n  echo {command}")
            self.assertIn("--store FILE", text)

    def test_version(self):
        self.assertRegex(self.works("--version"), r"\Aecho \(fish \d+\.\d+\.\d+, build [0-9a-f]{16}\)\n\Z")

    def test_stdout_that_takes_nothing(self):
        for words in (("--help",), ("--version",), ("serve", "--help")):
            with open("/dev/full", "w") as full:
                run = subprocess.run([ECHO, *words], env=environment(), stdout=full, stderr=subprocess.PIPE,
                                     text=True, timeout=PATIENCE_S)
            self.assertEqual(run.returncode, 1)
            self.assertRegex(run.stderr, r"\Aecho: stdout cannot be written: ")

    def test_wrong_words(self):
        self.fails(2, says="echo --help")
        self.fails(2, "sart", says=("'sart'", "did you mean 'start'"))
        self.fails(2, "serve", "--lisen", ":0", says=("'--lisen'", "did you mean '--listen'"))
        self.fails(2, "serve", "--listen", "nowhere", says="'nowhere'")
        self.fails(2, "serve", "--public-url", "ftp://x", says="'ftp://x'")
        self.fails(2, "start", says="usage: echo start FLOW [JSON]")
        self.fails(2, "start", "greet", "--wait", "soon", says="'soon'")
        self.fails(2, "serve", "--max-body", "257m", says="1 to 256m")
        self.fails(2, "show", "", says="the id of 'show' is empty")
        self.fails(2, "start", "", says="the flow's name of 'start' is empty")
        self.assertTrue(self.fails(2, "ls", "x").endswith("usage: echo ls\n"))
        self.assertTrue(self.fails(2, "serve", "x").endswith("usage: echo serve\n"))
        self.assertEqual(os.listdir(self.folder), [])        # and nothing was touched

    def test_socket_path(self):
        long = "x" * 120
        self.fails(2, "serve", "--store", long, says=("125 bytes", "107", "--socket"))
        self.fails(2, "ls", "--store", long, says=("125 bytes", "--socket"))
        self.fails(2, "serve", "--store", ":memory:", says="--socket")

    def test_no_server(self):
        self.fails(1, "ls", says=("no server answers at the socket ./echo.db.sock", "echo serve"))
        self.fails(1, "start", "greet", "--socket", "s", says="no server answers at the socket s:")


class Serving(Case):
    def setUp(self):
        super().setUp()
        self.server = self.serve()

    def test_ready_line_and_clean_stop(self):
        self.assertRegex(self.server.ready, r"\Alistening on http://127\.0\.0\.1:\d+\n\Z")
        for name in ("echo.db", "echo.db.sock"):
            mode = os.stat(pathlib.Path(self.folder, name)).st_mode
            self.assertEqual(stat.S_IMODE(mode), 0o600, name)
        self.assertEqual(self.server.end(signal.SIGINT), (0, ""))
        self.assertFalse(pathlib.Path(self.folder, "echo.db.sock").exists())

    def test_start_and_result(self):
        out = self.works("start", "greet", '{"name": "Ann"}', "--wait", "20s")
        flow, result = out.split("\n", 1)
        self.assertRegex(flow, rf"\A{ID}\Z")
        self.assertEqual(json.loads(result), {"hello": "Ann", "input": {"name": "Ann"}})
        told = json.loads(self.works("start", "greet", "-", "--wait", "20s", "--json", stdin='{"name": "Bo"}'))
        self.assertEqual((told["status"], told["result"]["hello"]), ("done", "Bo"))
        self.assertRegex(self.works("start", "greet"), rf"\A{ID}\n\Z")

    def test_start_that_fails_or_lasts(self):
        run = self.run_echo("start", "refuse", '{"why": "late"}', "--wait", "20s")
        self.assertEqual(run.returncode, 1)
        self.assertRegex(run.stderr, rf"\Aecho: flow {ID} failed: no good: late\n\Z")
        run = self.run_echo("start", "await", "--wait", "1ms")
        self.assertEqual(run.returncode, 3)
        self.assertRegex(run.stdout, rf"\A{ID}\n\Z")
        self.assertIn("has not ended within 1ms", run.stderr)
        self.assertEqual(self.show(run.stdout.strip())["state"], "waiting")

    def test_same_key_same_flow(self):
        first = self.works("start", "await", "--key", "k1")
        again = self.run_echo("start", "await", "--key", "k1")
        self.assertEqual((again.returncode, again.stdout), (0, first))
        self.assertRegex(again.stderr, rf"\Aecho: flow {ID} of that key was there already: nothing new is started\n\Z")
        self.assertTrue(json.loads(self.works("start", "await", "--key", "k1", "--json"))["existed"])
        self.assertNotEqual(self.works("start", "await", "--key", "k2"), first)
        greeted = self.works("start", "greet", '{"name": "Ann"}', "--key", "k1", "--wait", "20s")
        self.assertNotEqual(greeted.split()[0], first.strip())
        # Also after its end, and then with the first one's result.
        again = self.run_echo("start", "greet", '{"name": "Bo"}', "--key", "k1", "--wait", "20s")
        self.assertEqual((again.returncode, again.stdout), (0, greeted))

    def test_same_key_after_kill_9(self):
        first = self.works("start", "await", "--key", "k1")
        self.server.end(signal.SIGKILL)
        again = self.serve()
        self.assertEqual(self.run_echo("start", "await", "--key", "k1").stdout, first)
        again.wait_said("give --listen a fixed port")

    def test_bad_starts(self):
        self.fails(1, "start", "nope", says=("no flow named 'nope'", "--help"))
        self.fails(1, "start", "greet", "{bad", says="not one JSON value")
        self.fails(1, "start", "greet", "{} {}", says="not one JSON value")
        self.fails(1, "start", "greet", '{"a":1,"a":2}', says="not one JSON value")
        self.fails(1, "start", "greet", "", says="the JSON is empty")
        self.fails(2, "start", "greet", "{}", "--key", "k" * 256, says="at most 255")
        self.fails(2, "start", "greet", "{}", "--key", "a\nb", says=("--key", "line break", "byte 2"))
        # More than the server takes: its parser's refusal names the limit, what came and the way out.
        self.fails(1, "start", "greet", "-", stdin="1" * 3_000_000,
                   says=("body too large", "at most 1048576 bytes", "3000000", "--max-body"))
        self.assertIn("0 flows live", self.works("ls", "--all"))

    def test_wait_show_and_deliver(self):
        flow = self.works("start", "await", '{"order": 7}').strip()
        shown = self.show(flow)
        self.assertEqual((shown["state"], shown["input"]), ("waiting", {"order": 7}))
        hook = shown["hooks"][0]
        self.assertTrue(hook["url"].startswith(self.server.url + "/h/"), hook)
        text = self.works("show", flow)
        for words in (rf"\Aawait {flow}  waiting\n", r"input    \{\"order\": 7\}", r'for what comes at "word"',
                      r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(", r"until .* UTC \(in ", r"word  hook 0, open, 0 received",
                      re.escape(hook["url"]), r"Journal\n +0  .*start +started as await"):
            self.assertRegex(text, words)
        self.assertNotIn("\033", text)
        self.assertEqual(deliver(hook["url"], b'{"x": "\\u001b[2J"}'), 200)
        out = self.works("start", "greet", "--wait", "20s")          # a turn later the other has ended
        self.assertRegex(out, ID)
        text = self.works("show", flow)
        self.assertRegex(text, rf"\Aawait {flow}  done\n")
        self.assertIn("came", text)
        self.assertNotIn("\033", text)
        self.fails(1, "cancel", flow, says=(flow, "has ended"))

    def test_list(self):
        flows = [self.works("start", "await").strip() for _ in range(3)]
        ended = self.works("start", "greet", "--wait", "20s").split()[0]
        text = self.works("ls")
        self.assertRegex(text, r"\AID +FLOW +STATE")
        for flow in flows:
            self.assertRegex(text, rf"\n{flow}  await +waiting +\w.* in 5\d s|in 1 min")
        self.assertNotIn(ended, text)
        self.assertIn("3 flows live, 3 waiting; 3 URLs out", text)
        told = json.loads(self.works("ls", "--all", "--json"))
        self.assertEqual([flow["id"] for flow in told["flows"]], [*flows, ended])
        self.assertEqual(told["figures"]["flows"], 3)
        told = json.loads(self.works("ls", "--limit", "2", "--json"))
        self.assertEqual([flow["id"] for flow in told["flows"]], flows[:2])

    def test_cancel(self):
        flow = self.works("start", "knock").strip()
        self.assertIn("nobody /door", self.works("show", flow))
        self.assertEqual(self.works("cancel", flow), f"cancelled {flow}\n")
        self.assertRegex(self.works("show", flow), rf"\Aknock {flow}  cancelled\n")

    def test_unknown_ids(self):
        flow = "0" * 26
        for command in ("show", "cancel"):
            self.fails(1, command, flow, says=flow)
            self.fails(1, command, "abc", says=("'abc'", "26 characters"))
            self.fails(1, command, "../health", says="no flow")

    def test_numbers_stay_as_they_were_sent(self):
        given = '{"price": 1.10, "third": 0.30000000000000004, "hundred": 1E2}'
        flow, result = self.works("start", "greet", given, "--wait", "20s").splitlines()
        self.assertIn(given, result)
        self.assertIn(given, self.works("show", flow))
        self.assertIn(given, self.works("ls", "--all", "--json"))

    def test_untaken_messages_that_are_cut_say_so(self):
        flow = self.works("start", "deaf").strip()
        url = self.show(flow)["hooks"][0]["url"]
        self.assertEqual([deliver(url, json.dumps(body).encode()) for body in ("x" * 200, "short")], [200] * 2)
        self.works("cancel", flow)
        long, short = self.show(flow)["untaken"]
        self.assertEqual((long["len"], len(long["text"]), long["cut"]), (202, 80, True))
        self.assertEqual((short["text"], "cut" in short), ('"short"', False))
        self.assertRegex(self.works("show", flow), r"202 bytes  \"x+ … \(cut\)\n")

    def test_journal_of_a_cancelled_flow(self):
        flow = self.works("start", "await").strip()
        self.works("cancel", flow)
        text = self.works("show", flow)
        self.assertIn("reached step 2; it goes no further\n", text)
        self.assertNotIn("has returned", text)

    def stop_is_seen(self):
        """The kernel has handed SIGTERM over: its handler is gone, and the next one kills."""
        status = pathlib.Path(f"/proc/{self.server.process.pid}/status")
        give_up = time.monotonic() + PATIENCE_S
        while int(re.search(r"SigCgt:\s*(\w+)", status.read_text()).group(1), 16) >> (signal.SIGTERM - 1) & 1:
            self.assertLess(time.monotonic(), give_up)
            select.select([], [], [], 0.005)

    def spin(self, *flags):
        """A start of a flow that never rests, once it does not."""
        start = subprocess.Popen([ECHO, "start", "spin", *flags], cwd=self.folder, env=environment(),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: start.poll() is None and (start.kill(), start.communicate()))
        self.server.wait_said("spinning")
        return start

    def test_second_signal_ends_a_flow_that_never_rests(self):
        self.spin()
        self.server.process.send_signal(signal.SIGTERM)
        self.stop_is_seen()
        self.assertEqual(self.server.end(signal.SIGTERM)[0], -signal.SIGTERM)

    def test_start_whose_server_is_killed(self):
        for flags, says in (((), ("ls --all", "--key KEY")), (("--key", "k"), ("the same --key", "at most once"))):
            start = self.spin(*flags)
            self.server.end(signal.SIGKILL)
            out, errors = start.communicate(timeout=PATIENCE_S)
            self.assertEqual((start.returncode, out), (1, ""))
            for words in ("the flow may have been started", *says):
                self.assertIn(words, errors)
            for left in pathlib.Path(self.folder).glob("echo.db*"):
                left.unlink()
            self.server = self.serve()

    def test_second_signal_ends_at_once(self):
        # A request that stays half read holds the first stop up.
        port = int(self.server.url.rsplit(":", 1)[1])
        flow = self.works("start", "await").strip()
        path = self.show(flow)["hooks"][0]["url"].split(str(port), 1)[1]
        with socket.create_connection(("127.0.0.1", port)) as slow:
            slow.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n".encode())
            self.assertIn(b"100", slow.recv(100))
            self.server.process.send_signal(signal.SIGTERM)
            self.server.wait_said("server.stopping")
            self.assertEqual(self.server.end(signal.SIGTERM)[0], -signal.SIGTERM)
        self.serve()
        self.assertIn(self.show(flow)["state"], ("waiting", "parked"))

    def test_stop_lets_a_waiting_start_go(self):
        waiting = subprocess.Popen([ECHO, "start", "await", "--wait", "1h"], cwd=self.folder, env=environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while "1 flow live" not in self.works("ls"):
            self.assertIsNone(waiting.poll())
        self.assertEqual(self.server.end()[0], 0)
        out, errors = waiting.communicate(timeout=PATIENCE_S)
        self.assertEqual(waiting.returncode, 1, errors)
        self.assertRegex(out, rf"\A{ID}\n\Z")
        self.assertIn(f"flow {out.strip()} has not ended yet, and the server is stopping", errors)


class Elsewhere(Case):
    """Flags that take the server somewhere else than its defaults."""

    def test_memory_store(self):
        server = self.serve("--store", ":memory:", "--socket", "s")
        out = self.run_echo("start", "greet", "--wait", "20s", "--socket", "s")
        self.assertEqual(out.returncode, 0, out)
        self.assertEqual(server.end()[0], 0)
        self.assertEqual(os.listdir(self.folder), [])

    def test_public_url(self):
        self.serve("--public-url", "https://hooks.example.com/in/")
        flow = self.works("start", "await").strip()
        self.assertRegex(self.show(flow)["hooks"][0]["url"], r"\Ahttps://hooks\.example\.com/in/h/[\w-]{51}\Z")

    def test_ready_line_that_nobody_sees(self):
        with open("/dev/full", "w") as full:
            serve = subprocess.Popen([ECHO, "serve", "--listen", "127.0.0.1:0", "--log", "off"], cwd=self.folder,
                                     env=environment(), stdout=full, stderr=subprocess.PIPE, text=True)
        self.addCleanup(serve.stderr.close)
        self.addCleanup(serve.kill)
        self.assertRegex(serve.stderr.readline(), r"nobody sees the ready line; it listens on http://127\.0\.0\.1:\d+\n")
        self.works("ls")
        serve.terminate()
        self.assertEqual(serve.wait(PATIENCE_S), 0)

    def test_log_file(self):
        server = self.serve("--log", "x.log")
        server.end()
        self.assertEqual(server.said(), "")
        log = pathlib.Path(self.folder, "x.log").read_text()
        self.assertRegex(log, r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z server\.recovered flows=0 ms=\d+")
        self.assertIn("server.stopped", log)

    def test_max_body(self):
        self.serve("--max-body", "100")
        flow = self.works("start", "await").strip()
        url = self.show(flow)["hooks"][0]["url"]
        self.assertEqual(deliver(url, b"x" * 101), 413)
        self.assertEqual(deliver(url, b"x" * 100), 200)

    def test_stale_socket_of_a_killed_server(self):
        self.serve().end(signal.SIGKILL)
        self.assertTrue(pathlib.Path(self.folder, "echo.db.sock").exists())
        self.serve()
        self.works("ls")

    def test_parking_at_every_wait(self):
        self.serve(env=environment(FISH_TEST_PARK="1"))
        flow = self.works("start", "await").strip()
        url = self.show(flow)["hooks"][0]["url"]
        self.assertEqual(deliver(url, b"1"), 200)
        self.works("start", "greet", "--wait", "20s")
        self.assertEqual(self.show(flow)["result"], {"came": 1})


class Admin(Case):
    """The TCP listener that --admin opens."""

    def ask(self, path, body=None, **headers):
        request = urllib.request.Request(self.url + path, body, headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.loads(answer.read()), answer.headers
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.loads(refused.read()), refused.headers

    def open(self, **env):
        self.server = self.serve("--admin", "127.0.0.1:0", env=environment(**env))
        told = self.server.wait_said(r"admin on (http://\S+), its token is in (\S+)\n")
        self.url, self.where = told.groups()

    def test_token_file(self):
        self.open()
        self.assertEqual(self.where, "./echo.db.token")
        path = pathlib.Path(self.folder, self.where)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        token = path.read_text().strip()
        self.assertRegex(token, r"\A[0-9a-f]{64}\Z")
        self.assertEqual(self.ask("/health", Authorization=f"Bearer {token}")[:2], (200, {"status": "ok"}))
        self.server.end()
        self.open()
        self.assertEqual(path.read_text().strip(), token)

    def test_guard(self):
        self.open(FISH_ADMIN_TOKEN="t0ken-of-16-chars")
        self.assertEqual(self.where, "FISH_ADMIN_TOKEN")
        self.assertFalse(pathlib.Path(self.folder, "echo.db.token").exists())
        for given in ({}, {"Authorization": "t0ken-of-16-chars"}, {"Authorization": "Bearer t0ken-of-16-char"},
                      {"Authorization": "Bearer t0ken-of-16-charz"}, {"Authorization": "Basic t0ken-of-16-chars"}):
            status, told, headers = self.ask("/flows/greet", b"{}", **given)
            self.assertEqual((status, headers["WWW-Authenticate"]), (401, "Bearer"), given)
            self.assertIn("Authorization: Bearer TOKEN", told["error"])
        right = {"Authorization": "bearer t0ken-of-16-chars"}
        status, told, _ = self.ask("/flows/greet", b"{}", Origin="http://localhost", **right)
        self.assertEqual(status, 403)
        self.assertIn("Origin", told["error"])
        self.assertEqual(self.ask("/flows", **right)[1]["flows"], [])

    def test_requests(self):
        self.open(FISH_ADMIN_TOKEN="t0ken-of-16-chars")
        right = {"Authorization": "Bearer t0ken-of-16-chars"}
        status, told, _ = self.ask("/flows/await", b"", **right, **{"Idempotency-Key": "k"})
        self.assertEqual((status, told["existed"]), (202, False))
        flow = told["id"]
        self.assertEqual(self.ask("/flows/await", b"", **right, **{"Idempotency-Key": "k"})[1],
                         {"id": flow, "existed": True})
        status, told, _ = self.ask("/flows/greet?wait=20s", b'{"name": "Ann"}', **right)
        self.assertEqual((status, told["status"], told["result"]["hello"]), (200, "done", "Ann"))
        self.assertEqual(self.ask("/flows/greet?wait=x", b"", **right)[0], 400)
        self.assertEqual(self.ask("/flows/await?wait=1ms", b"", **right)[0], 202)
        self.assertEqual(self.ask(f"/flows/{flow}", **right)[1]["state"], "waiting")
        self.assertEqual(self.ask(f"/flows/{flow}/cancel", b"", **right)[:2], (202, {"id": flow}))
        self.assertEqual(self.ask(f"/flows/{flow}/cancel", b"", **right)[0], 410)
        self.assertEqual(self.ask("/flows/nope", b"", **right)[0], 404)
        self.assertEqual(self.ask("/flow", **right)[0], 404)
        status, _, headers = self.ask("/flows", b"", **right)
        self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))

    def test_pages(self):
        self.open(FISH_ADMIN_TOKEN="t0ken-of-16-chars")
        right = {"Authorization": "Bearer t0ken-of-16-chars"}
        live = [self.works("start", "await").strip() for _ in range(5)]
        ended = [self.works("start", "greet", "--wait", "20s").split()[0] for _ in range(4)]
        seen = []
        path = "/flows?limit=2&all=1"
        while path is not None:
            status, told, _ = self.ask(path, **right)
            self.assertEqual(status, 200)
            self.assertLessEqual(len(told["flows"]), 2)
            seen += [flow["id"] for flow in told["flows"]]
            path = told["next"]
        self.assertEqual(seen, live + ended[::-1])
        for wrong in ("limit=0", "limit=1001", "limit=x", "before=-1", "after=abc"):
            self.assertEqual(self.ask(f"/flows?{wrong}", **right)[0], 400, wrong)


if __name__ == "__main__":
    unittest.main()
