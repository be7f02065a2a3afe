"""Starts, asks, kills and ends the processes of the story: the broker and its two partners.

Invariant: no process outlives the program that started it, whatever ends that program; each is
killed by its handle, never by name. Surprise: while the broker is down its port is held by a
socket that is bound and never listens. Else a partner that calls the dead port could be given that
very port for its own end and, by TCP's rules, connect to itself.
"""
import ctypes
import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
READY = b"listening on "
READY_S = 20
ASK_S = 10
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


class Failed(Exception):
    """What a person reads at the end of a run that did not hold."""


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def find_broker(folder):
    """The broker's program in its own folder, or in a build folder."""
    for path in (Path(folder) / "broker", Path(folder) / "examples" / "broker" / "broker",
                 Path(folder) / "examples" / "broker"):
        if path.is_file():
            return path.resolve()
    raise Failed(f"there is no broker in {folder}: give the folder it was built in, "
                 "for example build/release")


class Process:
    """A child that tells on its stdout where it listens."""

    def __init__(self, argv, log, env=()):
        self.log = log
        with open(log, "ab") as stderr:
            self.child = subprocess.Popen(
                [str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=stderr, env={**os.environ, **dict(env)}, process_group=0,
                preexec_fn=die_with_parent)
        self.printed = b""
        self.url = None

    def wait_ready(self):
        """True when it listens, False when it ended before that."""
        deadline = time.monotonic() + READY_S
        while self.url is None:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.child.stdout], [], [], left)[0]:
                raise Failed(f"{self.child.args[0]} was not ready in {READY_S} s; "
                             f"{self.last_words()}")
            some = os.read(self.child.stdout.fileno(), 4096)
            if not some:
                self.child.wait()
                return False
            self.printed += some
            for line in self.printed.splitlines(keepends=True):
                if line.startswith(READY) and line.endswith(b"\n"):
                    self.url = line[len(READY):].decode().strip()
        return True

    def must_be_ready(self):
        if not self.wait_ready():
            raise Failed(f"{self.child.args[0]} ended with {self.child.returncode} before it was "
                         f"ready; {self.last_words()}")
        return self.url

    def last_words(self):
        words = Path(self.log).read_text(errors="replace").strip().splitlines()[-8:]
        return "it said:\n  " + "\n  ".join(words) if words else "it said nothing"

    def alive(self):
        return self.child.poll() is None

    def kill(self):
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()

    def stop(self):
        """Ends it as an operator would, and by force if it does not listen."""
        self.child.terminate()
        try:
            self.child.wait(ASK_S)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.child.args[0]} did not end on SIGTERM; "
                         f"{self.last_words()}") from None
        finally:
            self.kill()
        return self.child.returncode

    def ask(self, path, method="GET"):
        """A question over HTTP to a partner: its JSON."""
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=ASK_S)
        try:
            connection.request(method, path, body=b"" if method == "POST" else None)
            return json.loads(connection.getresponse().read() or b"null")
        finally:
            connection.close()


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=ASK_S)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Broker:
    """A program of Fish with a store, a socket and a port that stay the same over restarts."""

    def __init__(self, crew, program, name, env, store=None, flags=()):
        self.crew = crew
        self.program = program
        self.env = dict(env)
        self.store = store or crew.folder / f"{name}.db"
        self.socket = crew.folder / f"{name}.sock"
        self.log = crew.folder / f"{name}.log"
        self.flags = flags
        self.port = crew.hold_port()
        self.process = None

    def begin(self, env=()):
        """Starts it without waiting. The port stays the same: URLs that are out lead there."""
        address = f"127.0.0.1:{self.port.getsockname()[1]}"
        argv = [self.program, "serve", "--listen", address, "--store", self.store, "--socket",
                self.socket, *self.flags]
        self.process = self.crew.start(argv, self.log, {**self.env, **dict(env)})
        return self.process

    def start(self, env=()):
        self.begin(env).must_be_ready()

    def kill(self):
        self.crew.kill(self.process)

    def admin(self, path, method="GET", body=None, headers=()):
        """Status and JSON of the admin listener. OSError or HTTPException when it is down."""
        connection = UnixConnection(self.socket)
        try:
            connection.request(method, path, body=body, headers=dict(headers))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def figures(self):
        return self.admin("/flows?limit=1")[1]["figures"]

    def flow(self, flow):
        status, told = self.admin(f"/flows/{flow}")
        return told if status == 200 else None

    def command(self, *words):
        """A command of its own command line: what it printed."""
        ran = subprocess.run([self.program, *words, "--socket", str(self.socket)], text=True,
                             stdin=subprocess.DEVNULL, capture_output=True, timeout=READY_S)
        if ran.returncode:
            raise Failed(f"{self.program.name} {' '.join(words)} failed with {ran.returncode}: "
                         f"{ran.stderr.strip()}")
        return ran.stdout

    def flows(self, everything=True):
        """All flows, ended ones too, as its command line lists them."""
        words = ["ls", "--json"] + (["--all"] if everything else [])
        return json.loads(self.command(*words))["flows"]


class Crew:
    """All processes of one story, and the folder that they write in. A context: leaving it ends
    them all, and removes the folder unless an error was on its way out."""

    def __init__(self, keep_on_failure=True):
        self.processes = []
        self.ports = []
        self.keep_on_failure = keep_on_failure

    def __enter__(self):
        # Short, since a unix socket's path has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="fish-", dir=self.short_folder()))
        return self

    @staticmethod
    def short_folder():
        return None if len(tempfile.gettempdir()) < 60 else "/tmp"

    def hold_port(self):
        """A socket that keeps a free port from others, who are not given it, while a server may
        still listen on it: both say SO_REUSEADDR, and this socket never listens."""
        held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.ports.append(held)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        return held

    def start(self, argv, log, env=()):
        process = Process(argv, log, env)
        self.processes.append(process)
        return process

    def kill(self, process):
        process.kill()
        self.processes.remove(process)

    def party(self, role, *flags, name=None):
        """app or partner, ready; its ledger is folder/NAME.jsonl."""
        name = name or role
        ledger = self.folder / f"{name}.jsonl"
        party = self.start([sys.executable, "-B", HERE / role, "--ledger", ledger, *flags],
                           self.folder / f"{name}.log")
        party.must_be_ready()
        party.ledger = ledger
        return party

    def __exit__(self, kind, error, trace):
        for process in self.processes:
            process.kill()
        for port in self.ports:
            port.close()
        if kind is None or not self.keep_on_failure or issubclass(kind, KeyboardInterrupt):
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            print(f"its files are kept in {self.folder}", file=sys.stderr)


def exit_on_signals():
    """Each polite end unwinds, so that the crew is ended too; also in a shell's background, where
    SIGINT would be ignored. The first of them counts: a terminal that hangs up and a make that hands
    the signal on send two, and the second must not end the tidying up."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(number, frame):
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt
    for number in numbers:
        signal.signal(number, interrupt)


def poll(look, seconds, what, pause=0.02):
    """Looks until look() is true and returns that; Failed with what() when the time is up."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise Failed(what() if callable(what) else what)
        time.sleep(pause)
