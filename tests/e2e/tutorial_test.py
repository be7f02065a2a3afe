"""docs/tutorial.md, taken at its word: its programs are compiled, its lines typed into a shell, and what
comes is what the page shows.

How the page is read: a block of `c` or `python` that begins with a comment "NAME.c" is that file; a
block of `diff` changes files, each hunk after "@@ NAME @@"; in a block of `console` what follows "$ "
is typed and the rest is to come. A line "…" stands for any lines. Ids, ports, tokens and builds are
other ones in each run, but where the page shows one twice the same must come twice, and where it types
one the present one is typed; times may be any. Surprise: a line that only looks (show, ls, cat, tail, grep) is
repeated until it shows what it should, since a reader is slower than this.

FISH_BUILD is the build folder.
"""
import os
import re
import select
import signal
import subprocess
import time
import unittest
from pathlib import Path

from lib import PATIENCE_S, ROOT, Crew, Failed
from crew import die_with_parent

BUILD = Path(os.environ.get("FISH_BUILD", ROOT / "build" / "release"))
PAGE = ROOT / "docs" / "tutorial.md"
# What differs from run to run. The first four are the same wherever the page shows the same.
SPAN = r"(?:under a second|\d+ (?:d|h|min|s)\b(?: \d+ (?:h|min|s)\b)?)"
KINDS = {
    "rest": r"^…$",
    "port": r"127\.0\.0\.1:\d+",
    "token": r"(?<=/h/)[\w-]{40,}",
    "id": r"\b0[0-9a-z]{25}\b",
    "build": r"\b[0-9a-f]{16}\b",
    "time": r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?Z?",
    # A machine that is slow has parked the flow by then.
    "state": r"\b(?:waiting|parked)(?=\n {2}started)",
    "size": r"\b\d+(?:\.\d [KMG]iB| bytes) of memory",
    "ago": rf"(?:\bnow\b|\bin {SPAN}|\b{SPAN} ago\b)",
}
VARYING = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in KINDS.items()), re.M)
KEPT = ("port", "token", "id", "build")
LOOKS = re.compile(r"\./\w+ (show|ls)\b|cat |tail |grep ")
NOISE = re.compile(r"^bash: line \d+: +\d+ (Killed|Terminated).*\n?", re.M)
MARK = "\1"


def blocks(page):
    """(heading, kind, text) of each fenced block."""
    heading = ""
    for found in re.finditer(r"^## ([^\n]*)$|^```(\w+)\n(.*?)^```$", page, re.M | re.S):
        if found[1]:
            heading = found[1]
        else:
            yield heading, found[2], found[3]


def typed(text):
    """A console block as (command, what it is to print)."""
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, *lines = part.split("\n")
        while lines and lines[0].startswith("> "):
            command += "\n" + lines.pop(0)[2:]
        yield command, "\n".join(lines)


def patch(text, hunk):
    """The file with one hunk of a diff applied; its lines must stand there exactly once."""
    lines = hunk.rstrip("\n").split("\n")
    before = "\n".join(line[1:] for line in lines if line[:1] != "+") + "\n"
    after = "\n".join(line[1:] for line in lines if line[:1] != "-") + "\n"
    if text.count(before) != 1:
        raise Failed(f"these lines stand {text.count(before)} times in the file, not once:\n{before}")
    return text.replace(before, after)


def tidy(text):
    """Columns move with what is in them."""
    text = NOISE.sub("", text).expandtabs()
    return "\n".join(re.sub(r"(?<=\S) +", " ", line).rstrip() for line in text.strip().split("\n"))


class Shown:
    """Compares what came with what the page shows, and remembers what stood for what."""

    def __init__(self):
        self.now = {}

    def pattern(self, shown):
        """A regular expression, and the page's values in the order of its groups."""
        out, values, at = "", [], 0
        for found in VARYING.finditer(shown):
            out += re.escape(shown[at:found.start()])
            at = found.end()
            kind = found.lastgroup
            if kind in KEPT and found[0] in self.now:
                out += re.escape(self.now[found[0]])
            elif kind in KEPT and found[0] in values:
                out += rf"(?:\{values.index(found[0]) + 1})"
            elif kind in KEPT:
                values.append(found[0])
                out += f"({KINDS[kind]})"
            else:
                out += r".*(?:\n.*)*" if kind == "rest" else KINDS[kind]
        out += re.escape(shown[at:])
        return out, values

    def holds(self, shown, came):
        pattern, values = self.pattern(tidy(shown))
        found = re.fullmatch(pattern, tidy(came))
        if found:
            self.now.update(zip(values, found.groups()))
        return found is not None

    def today(self, command):
        """A line of the page with the values of this run."""
        return VARYING.sub(lambda found: self.now.get(found[0], found[0]), command)


class Shell:
    """A bash that reads what is typed from a pipe, and whose words and children's come back by another."""

    def __init__(self, folder, env):
        self.bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"], cwd=folder, env=env, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, process_group=0, preexec_fn=die_with_parent)

    def read(self, until, patience_s, came=""):
        """More of what comes, until it is as it should be or the time is up."""
        deadline = time.monotonic() + patience_s
        while not until(came) and (left := deadline - time.monotonic()) > 0:
            if select.select([self.bash.stdout], [], [], left)[0]:
                some = os.read(self.bash.stdout.fileno(), 65536).decode(errors="replace")
                if not some:
                    raise Failed(f"the shell has ended: {came}")
                came += some
        return came

    def type(self, command):
        """What a command prints until the next prompt."""
        prompt = f'{command}\n__status=$?; printf "\\n\\1"; (exit $__status)\n'
        self.bash.stdin.write(prompt.encode())
        self.bash.stdin.flush()
        came = self.read(lambda text: MARK in text, 6 * PATIENCE_S)
        if MARK not in came:
            raise Failed(f"$ {command}\ndoes not come to an end: {came}")
        return came.replace(MARK, "")

    def close(self):
        os.killpg(self.bash.pid, signal.SIGKILL)
        self.bash.wait()
        self.bash.stdin.close()
        self.bash.stdout.close()


class Reader:
    """Does what the page says, block by block."""

    def __init__(self, folder, shell):
        self.folder, self.shell, self.shown = folder, shell, Shown()

    def do(self, kind, text):
        if kind in ("c", "python"):
            name = re.match(r"(?:/\*|#) (\w+\.\w+)", text)
            if name:
                (self.folder / name[1]).write_text(text)
        elif kind == "diff":
            for name, hunk in re.findall(r"^@@ (\S+) @@\n(.*?)(?=^@@ |\Z)", text, re.M | re.S):
                path = self.folder / name
                path.write_text(patch(path.read_text(), hunk))
        elif kind == "console":
            for command, shown in typed(text):
                self.enter(self.shown.today(command), shown)

    def enter(self, command, shown):
        came = self.shell.type(command)
        deadline = time.monotonic() + PATIENCE_S
        if command.endswith("&"):
            came = self.shell.read(lambda text: self.shown.holds(shown, text), PATIENCE_S, came)
        while not self.shown.holds(shown, came):
            if not LOOKS.match(command) or time.monotonic() > deadline:
                raise Failed(f"$ {command}\nthe page shows:\n{tidy(shown)}\nit printed:\n{tidy(came)}")
            time.sleep(0.02)
            came = self.shell.type(command)


class Tutorial(unittest.TestCase):
    def setUp(self):
        self.crew = self.enterContext(Crew(keep_on_failure=False))
        (self.crew.folder / "pc").mkdir()
        for name in ("libfish", "libfish-sim"):
            # As an installed one, but that it leads to the build.
            (self.crew.folder / "pc" / f"{name}.pc").write_text(
                f"Name: {name}\nDescription: {name}\nVersion: 0\n"
                f"Libs: -L{BUILD}/src -l{name.removeprefix('lib')}\nCflags: -I{ROOT}/include\n")
        port = self.crew.hold_port().getsockname()[1]
        env = {name: value for name, value in os.environ.items() if not name.startswith("FISH_")}
        shell = Shell(self.crew.folder, {
            **env, "PKG_CONFIG_PATH": str(self.crew.folder / "pc"), "LD_LIBRARY_PATH": f"{BUILD}/src",
            "FISH_LISTEN": f"127.0.0.1:{port}"})
        self.addCleanup(shell.close)
        self.reader = Reader(self.crew.folder, shell)

    def test_each_step_does_what_the_page_shows(self):
        page = PAGE.read_text()
        typed_in = set()
        for heading, kind, text in blocks(page):
            if kind == "console" and heading not in typed_in:
                print(f"  {heading}", flush=True)
                typed_in.add(heading)
            try:
                self.reader.do(kind, text)
            except Failed as failed:
                self.fail(f"{heading}:\n{failed}")
        self.assertEqual(typed_in, set(re.findall(r"^## (\d+ .*)$", page, re.M)))


class Reading(unittest.TestCase):
    """The test's own eyes: it must see a page that lies."""

    def test_what_varies_may_and_what_is_told_twice_must_not(self):
        shown = Shown()
        self.assertTrue(shown.holds("flow 01m84bx5vaaaaaaaaaaaaaaaaa now", "flow 01m84bx5vbbbbbbbbbbbbbbbbb 3 s ago"))
        self.assertFalse(shown.holds("flow 01m84bx5vaaaaaaaaaaaaaaaaa", "flow 01m84bx5vccccccccccccccccc"))
        self.assertEqual(shown.today("show 01m84bx5vaaaaaaaaaaaaaaaaa"), "show 01m84bx5vbbbbbbbbbbbbbbbbb")
        self.assertFalse(shown.holds("step 1", "step 2"))
        self.assertTrue(shown.holds("a\n…\nz", "a\nb\nc\nz"))
        self.assertFalse(shown.holds("a\n…\nz", "a\nb\nc"))
        self.assertFalse(shown.holds("", "a warning"))

    def test_a_hunk_must_stand_there_once(self):
        self.assertEqual(patch("a\nb\nc\n", " a\n-b\n+d\n"), "a\nd\nc\n")
        for text in ("a\nc\n", "a\nb\na\nb\n"):
            with self.assertRaises(Failed):
                patch(text, " a\n-b\n")


if __name__ == "__main__":
    unittest.main()
