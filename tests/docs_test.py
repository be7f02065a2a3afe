#!/usr/bin/env python3
"""Sees that docs/http.md names only tests that there are. Prints "ok NAME" or "not ok NAME" for each table."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFAULT = "unit/http1_test.c"


def is_test(file, name):
    path = ROOT / "tests" / file
    if not path.is_file():
        return False
    text = path.read_text()
    return f"cmocka_unit_test({name})" in text or f"    def {name}(self)" in text


def breaches(text):
    section, shown = "", False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            section, shown = line[3:], False
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| input"):
            shown = cells[-1] == "shown by"
            yield section, None
        elif line.startswith("| ") and shown:
            for named in cells[-1].split(", "):
                file, _, name = named.rpartition(": ")
                if not re.fullmatch(r"\w+", name) or not is_test(file or DEFAULT, name):
                    yield section, f"docs/http.md:{number}: no test {named!r}"


def main():
    wrong = {}
    for section, breach in breaches((ROOT / "docs" / "http.md").read_text()):
        wrong.setdefault(section, [])
        if breach:
            wrong[section].append(breach)
            print(breach)
    for section, found in wrong.items():
        print("not ok" if found else "ok", "http.md,", section)
    return 1 if any(wrong.values()) or not wrong else 0


if __name__ == "__main__":
    sys.exit(main())
