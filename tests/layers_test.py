"""Plants each kind of breach in a small tree and sees that tests/layers reports it, and where."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

LAYERS = Path(__file__).parent / "layers"
HEAD = "/* A file of the planted tree. */\n"


def layers(files):
    """Runs tests/layers over a tree of these files: its exit code and what it printed."""
    with tempfile.TemporaryDirectory() as root:
        for name, text in files.items():
            path = Path(root) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(HEAD + text)
        run = subprocess.run([sys.executable, LAYERS, root], capture_output=True, text=True)
        return run.returncode, run.stdout


CLEAN = {
    "src/meson.build": "'base/map.c' 'engine/turn.c' 'net/door.c' 'sim/run.c'",
    "src/base/buf.h": "",
    "src/store/store.h": '#include "base/buf.h"\n',
    "src/store/rows.h": "",
    "src/engine/flow.h": '#include "store/store.h"\n',
    "src/net/door.h": '#include "engine/flow.h"\n#include <uv.h>\n',
}


class Layers(unittest.TestCase):
    def breach(self, name, text, where, what):
        code, printed = layers({**CLEAN, name: text})
        self.assertEqual(code, 1, printed)
        self.assertIn(f"{name}:{where}: ", printed)
        self.assertIn(what, printed)

    def test_clean_tree_passes(self):
        code, printed = layers(CLEAN)
        self.assertEqual((code, "not ok" in printed), (0, False), printed)

    def test_room_above(self):
        self.breach("src/base/map.c", '\n#include "engine/flow.h"\n', 3, "leans on engine/flow.h")

    def test_private_header_of_the_store(self):
        self.breach("src/engine/turn.c", '#include "store/rows.h"\n', 2, "only store/store.h")

    def test_header_beside(self):
        self.breach("src/base/map.c", '#include "buf.h"\n', 2, "not of the form")

    def test_library_in_the_wrong_room(self):
        self.breach("src/engine/turn.c", "#include <uv.h>\n", 2, "may not see <uv.h>")

    def test_example_that_sees_the_inside(self):
        self.breach("examples/a/a.c", '#include "base/buf.h"\n', 2, "sees fish.h only")

    def test_clock_in_the_engine(self):
        self.breach("src/engine/turn.c", "int a(void)\n{\n\treturn time(NULL);\n}\n", 4, "a clock is a seam")

    def test_chance_in_the_simulator(self):
        self.breach("src/sim/run.c", "int a(void)\n{\n\treturn rand();\n}\n", 4, "chance is a seam")

    def test_malloc(self):
        self.breach("src/net/door.c", "void *p = 0;\nvoid a(void)\n{\n\tp = malloc(1);\n}\n", 5, "instead of xalloc")

    def test_words_in_comments_strings_members_and_own_functions_are_free(self):
        code, printed = layers({**CLEAN, "src/engine/turn.c":
                                '/* time(NULL) */\nstatic int read(int a)\n{\n\treturn a;\n}\n'
                                'int a(struct s *s)\n{\n\treturn s->time("rand()") + read(1);\n}\n'})
        self.assertEqual(code, 0, printed)

    def test_long_function(self):
        self.breach("src/base/map.c", "int a(void)\n{\n" + "\n" * 70 + "}\n", 3, "a function of 72 lines")

    def test_long_file(self):
        self.breach("src/base/map.c", "\n" * 600, 601, "601 lines")

    def test_slash_comment(self):
        self.breach("src/base/map.c", 'int a; // no\nconst char *b = "//";\n', 2, "a // comment")

    def test_source_that_is_not_built(self):
        self.breach("src/base/extra.c", "", 1, "not in src/meson.build")

    def test_test_that_is_not_run(self):
        self.breach("tests/unit/extra_test.c", "", 1, "not in tests/meson.build")


if __name__ == "__main__":
    unittest.main()
