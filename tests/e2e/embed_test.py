"""tests/api/embed.c, a program that opens a server of its own, is compiled as a user would compile it and run.

FISH_BUILD is the meson build folder that holds libfish, FISH_CC the compiler (cc).
"""
import os
import re
import subprocess
import unittest

from lib import PATIENCE_S, ROOT, Crew
from readme_test import compile_program


class Embed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.crew = cls.enterClassContext(Crew(keep_on_failure=False))
        cls.program = cls.crew.folder / "embed"
        cls.said = compile_program(ROOT / "tests" / "api" / "embed.c", cls.program)

    def setUp(self):
        self.assertEqual(self.said, "", "the compiler complains")
        self.folder = self.crew.folder / self.id().split(".")[-1]
        self.folder.mkdir()

    def run_it(self, **env):
        return subprocess.run([self.program], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=PATIENCE_S, env={**os.environ, **env})

    def test_it_runs_again_and_again(self):
        for _ in range(3):
            ran = self.run_it()
            self.assertEqual((ran.returncode, ran.stderr), (0, ""))
            self.assertRegex(ran.stdout, re.compile(r"\Ahttp://127\.0\.0\.1:[1-9]\d*\n\Z"))

    def test_it_leaves_a_store_and_nothing_else(self):
        self.run_it()
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["x.db", "x.db.running"])
        self.assertEqual((self.folder / "x.db").stat().st_mode & 0o777, 0o600)

    def test_it_minds_no_environment(self):
        ran = self.run_it(FISH_LISTEN="nowhere", FISH_STORE="/nowhere/x.db", FISH_LOG="/nowhere/log")
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))

    def test_a_store_that_is_none_is_told(self):
        (self.folder / "x.db").mkdir()
        ran = self.run_it()
        self.assertEqual((ran.returncode, ran.stdout), (1, ""))
        self.assertIn("x.db", ran.stderr)


if __name__ == "__main__":
    unittest.main()
