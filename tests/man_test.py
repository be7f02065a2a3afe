#!/usr/bin/env python3
"""The man pages say all that the headers declare, and scripts/man lets no function be without a fact.

Which functions there are is asked of the compiler here, not of scripts/facts.py: a declaration that it
overlooks must be seen.
"""
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADERS = [ROOT / "include" / name for name in ("fish.h", "fish-sim.h")]
HEADINGS = ("NAME", "SYNOPSIS", "DESCRIPTION", "ARGUMENTS", "RESULT", "LIFETIME", "RECORDS", "FAILURE",
            "HISTORY", "SEE ALSO")
OVERVIEWS = {"libfish", "libfish-sim"}


def declared():
    """What the compiler makes of the headers, and their macros that are used as functions."""
    names = set()
    for header in HEADERS:
        ran = subprocess.run(["cc", "-E", "-P", f"-I{header.parent}", "-xc", header], capture_output=True,
                             text=True, check=True)
        statements = [s for s in ran.stdout.split(";") if "typedef" not in s]
        for statement in statements:
            names |= set(re.findall(r"\b(fish_\w+)\s*\((?!\*)", statement))
        names |= set(re.findall(r"^#define (fish_\w+)\(", header.read_text(), re.M))
    return names


def run_man(*words):
    return subprocess.run([sys.executable, "-B", ROOT / "scripts" / "man", *words], capture_output=True, text=True)


def sections(text):
    """The page's headings, each with its text."""
    parts = re.split(r"^\.SH (.*)\n", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.out = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="fish-")))
        ran = run_man(cls.out, "1.2.3", ROOT, *HEADERS)
        assert ran.returncode == 0, ran.stderr
        cls.pages = {path.stem: path.read_text() for path in (cls.out / "man3").iterdir()}

    def test_each_function_has_a_page_and_each_page_a_function(self):
        self.assertEqual(set(self.pages) - OVERVIEWS, declared())

    def test_each_page_tells_all_six(self):
        for name, text in self.pages.items():
            told = sections(text)
            for heading in HEADINGS if name not in OVERVIEWS else ("NAME", "SYNOPSIS", "FUNCTIONS"):
                words = re.sub(r"^\.\w+.*$", "", told.get(heading, ""), flags=re.M).strip()
                self.assertTrue(words, f"{name}(3) has nothing under {heading}")

    def test_each_argument_is_told(self):
        for name, text in self.pages.items():
            if name in OVERVIEWS:
                continue
            told = sections(text)
            prototype = re.search(rf"\b{name}\((.*?)\);$", told["SYNOPSIS"], re.M | re.S)[1]
            heads = re.findall(r"^\.TP\n\\fB(.*)\\fR$", told["ARGUMENTS"], re.M)
            said = {argument for head in heads for argument in head.split(", ")}
            for argument in said:
                self.assertIn(argument, prototype, name)
            if ", ..." in prototype:
                self.assertIn("...", said, name)

    def test_each_overview_lists_its_functions(self):
        listed = set()
        for name in OVERVIEWS:
            listed |= set(re.findall(r"^\\fB(fish_\w+)\(3\)\\fR$", self.pages[name], re.M))
        self.assertEqual(listed, declared())

    def test_a_fact_may_stand_in_the_heading_or_with_the_like(self):
        self.assertIn("a JSON Pointer", sections(self.pages["fish_str"])["ARGUMENTS"])
        self.assertIn("Misuse", sections(self.pages["fish_any"])["FAILURE"])
        self.assertIn("1.2.3", self.pages["fish_any"])

    @unittest.skipUnless(shutil.which("groff"), "there is no groff")
    def test_groff_has_nothing_to_warn_of(self):
        checker = ROOT / "scripts" / "check-flows"
        saying = self.out / "program"
        saying.write_text(PROGRAM)
        saying.chmod(0o755)
        ran = run_man("--program", self.out, "1.2.3", saying, checker)
        self.assertEqual(ran.stderr, "")
        pages = sorted(self.out.glob("man*/*"))
        self.assertGreater(len(pages), len(declared()))
        for page in pages:
            ran = subprocess.run(["groff", "-ww", "-man", "-Tutf8", page], capture_output=True, text=True)
            self.assertEqual((ran.returncode, ran.stderr), (0, ""), page)

    @unittest.skipUnless(shutil.which("mandoc"), "there is no mandoc")
    def test_mandoc_has_no_error_to_tell(self):
        for page in sorted(self.out.glob("man*/*")):
            ran = subprocess.run(["mandoc", "-Tlint", "-Werror", page], capture_output=True, text=True)
            self.assertEqual((ran.returncode, ran.stdout), (0, ""), page)


# What a program's --help looks like; that of the true one is read by the build.
PROGRAM = r"""#!/bin/sh
[ $# = 1 ] || exec echo "program $1: do it

usage:
  program $1 [FLAGS]

flags:
  --wait TIME        'so' long
  .x                 a \dot

Words about it."
echo "program does.

usage:
  program serve [FLAGS]
      run the flows"
"""

GOOD = """\
/* x.h - a header.
 *
 * f: the flow. */

typedef struct fish_flow fish_flow;

/* ---- group ---- */

/* Does it. name: a text. Result: a thing. Lives as long as the run. Records IT. Misuse: the name. */
const char *fish_one(fish_flow *f, const char *name);

/* Does it too. Else like fish_one. */
const char *fish_two(fish_flow *f, const char *name);

/* ---- readers ----
 * Reads. Records nothing. Cannot fail. */

bool fish_three(fish_flow *f);     /* Result: so it is. */
"""


class Complaints(unittest.TestCase):
    def complain(self, text):
        with tempfile.TemporaryDirectory(prefix="fish-") as folder:
            header = Path(folder) / "x.h"
            header.write_text(text)
            ran = run_man("--list", header)
            self.assertNotIn("Traceback", ran.stderr)
            return ran.stderr.replace(folder, "") if ran.returncode else ""

    def test_the_good_one_passes(self):
        self.assertEqual(self.complain(GOOD), "")

    def test_each_missing_fact_is_told_with_its_place(self):
        for words, fact in (("Does it. ", "effect"), ("name: a text. ", "argument name"),
                            ("Result: a thing. ", "result"), ("Lives as long as the run. ", "lifetime"),
                            ("Records IT. ", "record"), (" Misuse: the name.", "failure"),
                            (" f: the flow.", "argument f"), (" Result: so it is. ", "result"),
                            ("Records nothing. ", "record")):
            self.assertIn(words, GOOD)
            said = self.complain(GOOD.replace(words, ""))
            self.assertRegex(said, rf"^/x\.h:\d+: fish_(one|three) does not tell its {fact} ", words)

    def test_a_function_without_a_comment(self):
        self.assertIn("/x.h:19: fish_four has no comment", self.complain(GOOD + "void fish_four(fish_flow *f);\n"))

    def test_facts_out_of_order(self):
        said = self.complain(GOOD.replace("Records IT. Misuse: the name.", "Misuse: the name. Records IT."))
        self.assertIn("record comes before failure", said)

    def test_an_argument_that_there_is_not(self):
        self.assertIn("size is no argument", self.complain(GOOD.replace("name: a", "name, size: a")))

    def test_like_a_function_that_there_is_not(self):
        self.assertIn("is like fish_onw, which no header declares",
                      self.complain(GOOD.replace("like fish_one", "like fish_onw")))

    def test_a_macro_without_its_prototype(self):
        said = self.complain(GOOD + "/* Does all. Else like fish_one. */\n#define fish_all(f) fish_one((f), 0)\n")
        self.assertIn("the comment of fish_all does not begin with its prototype", said)


if __name__ == "__main__":
    unittest.main()
