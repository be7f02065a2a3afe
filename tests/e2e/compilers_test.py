"""Flows that gcc's build began go on under clang's, and the other way round, at every turn.

Each program here is compiled four times: by both compilers, without optimisation and with all of it, and
each links the libfish of its own compiler's build (FISH_BUILD has gcc's, FISH_CLANG_BUILD clang's). The
four take turns, a life of the server each, in the middle of the stories of the examples and at each write
of the journal. A flow that diverges stops, and its story with it. That this can happen at all shows
unordered.c, which leaves the order of two steps to the compiler.
"""
import json
import os
import re
import subprocess
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import examples_test
from crew import Broker, Crew, poll
from lib import PATIENCE_S, ROOT, Partner, deliver
from staged import Scripted, Story, Way, in_other_ways

SOURCES = (*(ROOT / "examples" / name / f"{name}.c" for name in ("approve", "gate", "pay", "quote", "sub")),
           *(ROOT / "tests" / "e2e" / f"{name}.c" for name in ("steps", "unordered")))
# In the order of their turns: each time another compiler, and then the other optimisation as well.
TURNS = (("gcc", "-O0"), ("clang", "-O3"), ("gcc", "-O3"), ("clang", "-O0"))
built = {}


def setUpModule():
    if "FISH_CLANG_BUILD" not in os.environ:
        raise unittest.SkipTest("FISH_CLANG_BUILD is not set; run: scripts/test compilers")
    folder = Path(unittest.enterModuleContext(tempfile.TemporaryDirectory()))
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(compile_one, folder, source, turn) for source in SOURCES
                     for turn in TURNS]:
            done.result()


def compile_one(folder, source, turn):
    compiler, optimisation = turn
    library = Path(os.environ["FISH_BUILD" if compiler == "gcc" else "FISH_CLANG_BUILD"]) / "src"
    program = folder / f"{source.stem}-{compiler}{optimisation}"
    subprocess.run([compiler, "-std=gnu17", "-g", optimisation, "-I", ROOT / "include", source, "-o", program,
                    "-L", library, "-lfish", f"-Wl,-rpath,{library}"], check=True, timeout=60)
    built[source.stem, turn] = program


def in_turns(name):
    return [built[name, turn] for turn in TURNS]


WAYS = (Way("in_turns", killed=True, builds=in_turns),
        Way("parked_in_turns", park=True, killed=True, builds=in_turns),
        Way("another_build_after_each_commit", dying="after", builds=in_turns))


@in_other_ways(WAYS)
class Approve(examples_test.Approve):
    pass


@in_other_ways(WAYS)
class Gate(examples_test.Gate):
    pass


@in_other_ways(WAYS)
class Pay(examples_test.Pay):
    pass


@in_other_ways(WAYS)
class Quote(examples_test.Quote):
    pass


@in_other_ways(WAYS)
class Sub(examples_test.Sub):
    pass


class EveryStep(Story):
    """One flow that takes every kind of step, told under one build and then by turns: it asks the same
    of its partner and ends the same."""

    example = "steps"

    def partners(self):
        self.partner = Scripted(lambda heard: (200, {"echo": heard.path}))
        return {"PARTNER_URL": self.partner}

    def on_next(self, path, life):
        return self.heard(self.partner, path, life)[-1]

    def one_life(self, flow, life, number):
        begun = self.on_next("/begin", life)
        self.middle()
        self.assertEqual(self.tell(begun["door"], {"number": number}), 200)
        self.on_next("/ask", life)
        self.middle()
        # The reply of the flow, not the fallback; a sender that asks again hears it again.
        self.assertEqual(self.tell(begun["asked"], {}, f"question-{life}"), 201)
        self.middle()
        self.assertEqual(self.tell(begun["asked"], {}, f"question-{life}"), 201)
        self.on_next("/gathered", life)
        self.middle()
        self.on_next("/open", life)
        for name in ("ann", "bob"):
            self.assertEqual(self.tell(begun["guests"], {"name": name, "parent": flow}), 200)
            self.middle()
        self.assertEqual(self.on_next("/closing", life)["random"], begun["random"],
                         "chance was another in a re-run")
        self.middle()
        return begun

    def story_every_step(self):
        flow = self.start("steps")
        first = self.one_life(flow, 1, 0.1)
        second = self.one_life(flow, 2, 1e10 / 3)
        self.assertEqual(first["door"], second["door"], "the URL changed with a life")
        self.told = self.result(flow), self.as_told(flow)

    def as_told(self, flow):
        """All calls, in an order of their own, without what no two flows have in common."""
        calls = []
        for path, told in self.partner.calls():
            text = json.dumps([path, told]).replace(flow, "FLOW")
            text = re.sub(r"http://[^\"]*/h/[^\"]*", "URL", text)
            calls.append(re.sub(r'"(random|key)": "[^"]*"', r'"\1": "CHANCE"', text))
        return sorted(calls)

    def test_it_is_one_story_in_every_way(self):
        self.tell_story("story_every_step",
                        Way("plain", builds=lambda name: [built[name, ("gcc", "-O3")]]))
        plain = self.told
        self.assertEqual(plain[0]["lives"], 2)
        for way in WAYS:
            with self.subTest(way.name):
                self.tell_story("story_every_step", way)
                self.assertEqual(self.told, plain)


class Unordered(unittest.TestCase):
    """The rule's other side: what leaves the order of steps to the compiler does diverge."""

    def setUp(self):
        self.crew = self.enterContext(Crew(keep_on_failure=False))
        self.partner = Partner()
        self.addCleanup(self.partner.close)
        self.server = Broker(self.crew, None, "unordered", {"PARTNER_URL": self.partner.url})

    def restart(self, *turn):
        if self.server.process:
            self.server.kill()
        self.server.program = built["unordered", turn]
        self.server.start()

    def wait_for(self, holds, what):
        return poll(lambda: (told := self.server.flow(self.flow)) and holds(told) and told,
                    PATIENCE_S, lambda: f"{what}: {self.server.flow(self.flow)}")

    def begin(self, *turn):
        self.restart(*turn)
        self.flow = self.server.admin("/flows/unordered", "POST", "null")[1]["id"]
        # Its hook is there: both answers were taken.
        self.url = self.wait_for(lambda now: now["hooks"], "it is not at rest")["hooks"][0]["url"]
        return [heard.path for heard in self.partner.heard]

    def refused(self):
        """The report of the flow that was stopped at once by the start of another build."""
        return self.wait_for(lambda now: now["state"] == "stopped", "it did not diverge")["why"]

    def test_what_gcc_recorded_stops_under_clang_until_gcc_is_back(self):
        self.assertEqual(self.begin("gcc", "-O0"), ["/right", "/left"])
        self.restart("clang", "-O0")
        why = self.refused()
        self.assertIn('diverged at step 0: the journal recorded post "right /right", '
                      'the code asks for post "left /left"', why)
        self.assertRegex(why, r"the call is at unordered\.c:\d+")
        builds = re.findall(r"build ([0-9a-f]{16})", why)
        self.assertEqual(len(builds), 2, why)
        self.assertNotEqual(*builds)
        self.restart("clang", "-O3")
        self.assertNotEqual(re.findall(r"now build ([0-9a-f]{16})", self.refused()), builds[1:])
        self.assertEqual(deliver(self.url, b"1"), 200)
        # Another build than the one that began it, and nobody says `retry`.
        self.restart("gcc", "-O3")
        ended = self.wait_for(lambda now: now["state"] == "ended", "it did not go on")
        self.assertEqual(ended["result"], {"difference": 0})

    def test_what_clang_recorded_stops_under_gcc(self):
        self.assertEqual(self.begin("clang", "-O3"), ["/left", "/right"])
        self.restart("gcc", "-O3")
        self.assertIn('recorded post "left /left", the code asks for post "right /right"', self.refused())


if __name__ == "__main__":
    unittest.main()
