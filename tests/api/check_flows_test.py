"""scripts/check-flows finds what the comments of its examples say, and nothing in true programs.

check_flows_test.py FILE...: C and C++ files with comments "finds: RULE". FISH_SOURCE_ROOT is the
checkout. Without clang all but one test is skipped.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(os.environ.get("FISH_SOURCE_ROOT", Path(__file__).resolve().parents[2]))
CHECK = ROOT / "scripts/check-flows"
FILES = [Path(name) for name in sys.argv[1:]] or sorted((ROOT / "tests/api/check").glob("*.c*"))
DOCUMENT = ROOT / "docs/determinism.md"
needs_clang = unittest.skipUnless(shutil.which("clang"), "there is no clang")


def check(*words, cwd=None, include=True):
    flags = ["--", "-I", ROOT / "include"] if include else []
    return subprocess.run([sys.executable, "-B", CHECK, *words, *flags], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, cwd=cwd, env={**os.environ, "LC_ALL": "C"})


@needs_clang
class Findings(unittest.TestCase):
    def test_each_file_gives_what_its_comments_say(self):
        rules = set()
        for path in FILES:
            wanted = {(number, found.group(1)) for number, line in enumerate(path.read_text().split("\n"), 1)
                      if (found := re.search(r"/\* finds: ([a-z-]+) \*/$", line))}
            ran = check("--json", path)
            with self.subTest(path.name):
                self.assertEqual((ran.returncode, ran.stderr), (1, ""))
                found = json.loads(ran.stdout)
                self.assertEqual({(one["line"], one["rule"]) for one in found}, wanted)
                self.assertEqual(len(found), len(wanted))
                for one in found:
                    self.assertEqual(Path(one["file"]).name, path.name)
                    self.assertTrue(one["what"] and one["why"] and one["do"] and one["column"] > 0)
            rules |= {rule for _, rule in wanted}
        known = set(re.findall(r'^    "([a-z-]+)": \($', CHECK.read_text(), re.M))
        self.assertEqual(rules, known)      # no rule without an example

    def test_true_programs_give_nothing(self):
        stories = (path for path in (ROOT / "tests/e2e").glob("*.c")
                   if "fish_flow" in (text := path.read_text()) and "/* finds: " not in text)
        for path in [*sorted((ROOT / "examples").glob("*/*.c")), *sorted(stories)]:
            with self.subTest(path.name):
                ran = check(path)
                self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (0, "", ""))

    def test_words_say_where_what_why_and_what_to_do(self):
        ran = check(*FILES)
        self.assertEqual(ran.returncode, 1)
        lines = ran.stdout.splitlines()
        self.assertTrue(lines and len(lines) % 3 == 0)
        for where, why, advice in zip(lines[::3], lines[1::3], lines[2::3]):
            self.assertRegex(where, r"^\S+:\d+: .+ \[[a-z-]+\]$")
            self.assertTrue(why.startswith("    why: ") and advice.startswith("    do:  "))

    def test_a_file_that_does_not_compile(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "broken.c"
            path.write_text("#include <fish.h>\nint broken(\n")
            ran = check(path, FILES[0])
        self.assertEqual(ran.returncode, 2)
        self.assertRegex(ran.stderr, r"broken\.c does not compile(.|\n)*error")
        self.assertIn(FILES[0].name, ran.stdout)      # the others are checked all the same

    def test_the_document_shows_what_it_prints(self):
        blocks = re.findall(r"^```(\w+)\n(.*?)^```$", DOCUMENT.read_text(), re.M | re.S)
        shown = 0
        with tempfile.TemporaryDirectory() as folder:
            for (kind, text), (_, printed) in zip(blocks, blocks[1:]):
                command = re.match(r"\$ fish-check-flows (\w+\.c)\n", printed)
                if kind != "c" or not command:
                    continue
                (Path(folder) / command.group(1)).write_text(text)
                ran = check(command.group(1), cwd=folder)
                self.assertEqual(ran.stderr, "")
                self.assertEqual(ran.stdout.split(), printed[command.end():].split())
                shown += 1
        self.assertGreaterEqual(shown, 3)


class Command(unittest.TestCase):
    def test_help_has_examples_and_exit_statuses(self):
        ran = check("--help", include=False)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        for words in ("examples:", "fish-check-flows broker.c", "--json", "Exit status", "fish-check: allow"):
            self.assertIn(words, ran.stdout)

    def test_what_it_cannot_do_is_exit_status_2(self):
        for words in ([], ["--clang", "no-such-clang", FILES[0]], ["no-such-file.c"]):
            ran = check(*words)
            self.assertEqual((ran.returncode, ran.stdout), (2, ""))
            self.assertTrue(ran.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
