"""README's program is compiled as a user would compile it, and takes one order through its whole life.

FISH_BUILD_ROOT is the meson build folder that holds libfish.a (else FISH_BUILD, else build),
FISH_SOURCE_ROOT the checkout, FISH_CC the compiler (cc).
"""
import os
import re
import subprocess
import unittest
from pathlib import Path

from lib import PATIENCE_S, Broker, Crew, Partner, deliver, poll

ROOT = Path(os.environ.get("FISH_SOURCE_ROOT", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("FISH_BUILD_ROOT") or os.environ.get("FISH_BUILD") or ROOT / "build")
LINK = ["-luv", "-lcurl", "-ljansson", "-lsqlite3", "-lcrypto", "-ldw", "-lpthread", "-lm"]
TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|\w+|[^\w\s]')
COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|/\*.*?\*/|//[^\n]*', re.S)


def readme_program():
    blocks = re.findall(r"^```c\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    programs = [block for block in blocks if "int main(" in block]
    if len(programs) != 1:
        raise AssertionError(f"README.md has {len(programs)} C programs, not one")
    return programs[0]


def library():
    found = sorted(BUILD.rglob("libfish.a"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise AssertionError(f"there is no libfish.a in {BUILD}: build it first")
    return found[-1]


def compile_program(source, program):
    """cc's words, or nothing when there was nothing to say."""
    ran = subprocess.run([os.environ.get("FISH_CC", "cc"), "-Wall", "-Wextra", "-Werror", "-g", "-I",
                          ROOT / "include", source, "-o", program, library(), *LINK],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True)
    return ran.stdout + (f"exit {ran.returncode}" if ran.returncode else "")


def flow_tokens(text):
    """The tokens of the peers, the flows and the tables of both; main may be written otherwise."""
    text = COMMENT.sub(lambda found: found.group(1) or " ", text)
    begin = text.index("static const fish_peer ")
    end = text.index(";", text.index("fish_peer *const peers[]"))
    return TOKEN.findall(text[begin:end])


class Readme(unittest.TestCase):
    def test_its_flows_are_those_of_the_example(self):
        example = ROOT / "examples" / "broker" / "broker.c"
        if not example.exists():
            self.skipTest(f"there is no {example}")
        self.assertEqual(flow_tokens(readme_program()), flow_tokens(example.read_text()))

    def test_it_uses_public_functions_only(self):
        header = (ROOT / "include" / "fish.h").read_text()
        for name in set(re.findall(r"\b(?:fish|FISH)_\w+", readme_program())):
            self.assertRegex(header, rf"\b{name}\b")


class ReadmeProgram(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.crew = cls.enterClassContext(Crew(keep_on_failure=False))
        source = cls.crew.folder / "broker.c"
        source.write_text(readme_program())
        cls.program = cls.crew.folder / "broker"
        cls.said = compile_program(source, cls.program)

    def setUp(self):
        self.assertEqual(self.said, "", "the compiler complains")
        self.app, self.partner = Partner(), Partner()
        self.addCleanup(self.app.close)
        self.addCleanup(self.partner.close)
        self.broker = Broker(self.crew, self.program, self.id().split(".")[-1],
                             {"APP_URL": self.app.url, "PARTNER_URL": self.partner.url})
        self.addCleanup(self.broker.port.close)

    def help(self, *words):
        ran = subprocess.run([self.program, *words, "--help"], capture_output=True, text=True,
                             timeout=PATIENCE_S)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        return ran.stdout

    def test_help_names_commands_flows_and_flags(self):
        for word in ("serve", "start", "ls", "show", "cancel", "region", "order"):
            self.assertRegex(self.help(), rf"\b{word}\b")
        for flag in ("--listen", "--public-url", "--store"):
            self.assertIn(flag, self.help("serve"))
        self.assertIn("--key", self.help("start"))

    def test_one_order_from_start_to_end(self):
        self.broker.start()
        self.broker.command("start", "region", '{"region_id": "north"}', "--key", "north")
        region = self.app.wait_told("/region", 1)[0].json()
        self.assertEqual(region["region_id"], "north")

        # An order comes, the partner is asked, and takes it.
        self.assertEqual(deliver(region["webhook_url"], b'{"id": "o-1", "price": 19.99}', "m-1"), 200)
        asked = self.partner.wait_told("/order", 1)[0].json()
        self.assertEqual(asked["order"], {"id": "o-1", "price": 19.99})
        self.assertEqual(deliver(asked["callback"], b"taken"), 200)
        accept = self.app.wait_told("/accept", 1)[0].json()
        self.assertEqual(accept["order"], "o-1")
        order, = [flow for flow in self.broker.flows() if flow["flow"] == "order"]
        self.assertIn("granted", self.broker.command("show", order["id"]))

        # It waits over a kill, on the same URL; the message that began it is a duplicate now.
        self.broker.kill()
        self.broker.start()
        self.assertEqual(deliver(region["webhook_url"], b'{"id": "o-1", "price": 19.99}', "m-1"), 200)
        self.assertEqual(deliver(accept["callback"], b'{"courier": "ann"}'), 200)
        ended = poll(lambda: (shown := self.broker.flow(order["id"]))["state"] == "ended" and shown,
                     PATIENCE_S, "the order never ends")
        self.assertEqual((ended["status"], ended["result"]), ("done", {"order": "o-1", "courier": "ann"}))
        self.assertIn("ann", self.broker.command("show", order["id"]))
        self.assertEqual(deliver(accept["callback"], b"late"), 410)

        # Once each, whatever was sent twice.
        self.assertEqual(len(self.partner.told("/order")), 1)
        self.assertEqual(len(self.app.told("/accept")), 1)
        self.assertEqual(len([flow for flow in self.broker.flows() if flow["flow"] == "order"]), 1)
        self.assertEqual(self.broker.process.stop(), 0)

    def test_an_unset_name_is_told_at_start(self):
        environment = {name: value for name, value in os.environ.items() if name != "PARTNER_URL"}
        ran = subprocess.run([self.program, "serve", "--listen", "127.0.0.1:0", "--store", ":memory:", "--socket",
                              self.crew.folder / "unset.sock"], env={**environment, "APP_URL": self.app.url},
                             capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertNotEqual(ran.returncode, 0)
        self.assertIn("PARTNER_URL", ran.stderr)
        self.assertEqual(ran.stdout, "")


if __name__ == "__main__":
    unittest.main()
