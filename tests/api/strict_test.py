"""fish-strict.h: each name it forbids is an error with the right words, and nothing else is.

strict_test.py CALLS.c: the file with one call of each name, a line each. FISH_SOURCE_ROOT is the
checkout.
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(os.environ.get("FISH_SOURCE_ROOT", Path(__file__).resolve().parents[2]))
CALLS = Path(sys.argv.pop() if len(sys.argv) > 1 else ROOT / "tests/api/strict.c").read_text()
HEADER = (ROOT / "include/fish-strict.h").read_text()
FORBIDDEN = dict(re.findall(r"^#define (\w+)\(\.\.\.\)\s+\+(\w+)$", HEADER, re.M))
NOT_IN_CPLUSPLUS = {"remove", "thrd_sleep", "thrd_create", "thrd_join", "mtx_lock", "cnd_wait", "thrd_exit"}
MACROS = {"setjmp", "sigsetjmp"}
COMPILERS = {"gcc": ("gcc", "-std=gnu17", "-fmax-errors=0"),
             "clang": ("clang", "-std=gnu17", "-ferror-limit=0"),
             "g++": ("g++", "-std=gnu++20", "-xc++", "-fmax-errors=0"),
             "clang++": ("clang++", "-std=gnu++20", "-xc++", "-ferror-limit=0")}


class Strict(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def compile(self, compiler, text, *flags):
        """The compiler's exit status and its words."""
        source = self.folder / "flow.c"
        source.write_text(text)
        ran = subprocess.run([*COMPILERS[compiler], "-D_GNU_SOURCE", "-O1", "-I", ROOT / "include",
                              "-Wno-deprecated-declarations", *flags, "-c", source,
                              "-o", self.folder / "flow.o"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, env={**os.environ, "LC_ALL": "C"})
        return ran.returncode, ran.stdout

    def names(self, compiler):
        return set(FORBIDDEN) - (NOT_IN_CPLUSPLUS if "++" in compiler else set())

    def test_the_calls_cover_the_header(self):
        self.assertEqual(set(re.findall(r"\bdo_(\w+)\(", CALLS)), set(FORBIDDEN))
        self.assertEqual(set(re.findall(r"^#undef (\w+)$", HEADER, re.M)), set(FORBIDDEN))
        for name, words in FORBIDDEN.items():
            self.assertTrue(words.startswith("use_") and words.endswith(f"_instead_of_{name}"), words)

    def test_the_calls_are_right_without_it(self):
        for compiler in COMPILERS:
            with self.subTest(compiler):
                self.assertEqual(self.compile(compiler, CALLS)[0], 0)

    def test_each_call_fails_with_the_words(self):
        for compiler in COMPILERS:
            with self.subTest(compiler):
                status, said = self.compile(compiler, CALLS, "-DSTRICT")
                self.assertNotEqual(status, 0)
                errors = re.findall(r"error: .*?(use_\w+)", said)
                self.assertEqual(sorted(errors), sorted(FORBIDDEN[name] for name in self.names(compiler)))
                self.assertEqual(len(errors), said.count("error: "), said)

    def test_parentheses_allow_a_call(self):
        text = re.sub(r"(\(void\))(\w+)\(", r"\1(\2)(", CALLS)
        for compiler in COMPILERS:
            with self.subTest(compiler):
                status, said = self.compile(compiler, text, "-DSTRICT", "-DPARENTHESES")
                self.assertEqual(status, 0, said)

    def test_it_must_come_last(self):
        for compiler in COMPILERS:
            with self.subTest(compiler):
                status, said = self.compile(compiler, "#include <fish-strict.h>\n#include <time.h>\n")
                self.assertNotEqual(status, 0)
                self.assertIn("use_fish_now_instead_of_time", said)

    def test_every_example_compiles_with_it(self):
        flows = [path for path in sorted((ROOT / "examples").glob("*/*.c")) if "fish_fn" in path.read_text()
                 or "fish_flow *" in path.read_text()]
        self.assertTrue(flows)
        for path in flows:
            text = path.read_text()
            last = [found.end() for found in re.finditer(r"^#include .*$", text, re.M)][-1]
            for compiler in ("gcc", "clang"):
                with self.subTest(path=path.name, compiler=compiler):
                    status, said = self.compile(
                        compiler, f"{text[:last]}\n#include <fish-strict.h>\n{text[last:]}",
                        "-Wall", "-Wextra", "-pedantic", "-Werror", "-I", path.parent)
                    self.assertEqual(status, 0, said)

    def test_the_documents_tell_true_words(self):
        for path in ("docs/determinism.md", "README.md", "include/fish-strict.h"):
            for words, name in re.findall(r"\b(use_\w+_instead_of_(\w+))", (ROOT / path).read_text()):
                self.assertEqual(FORBIDDEN.get(name), words, path)


if __name__ == "__main__":
    unittest.main(verbosity=2)
