#!/usr/bin/env python3
"""Measures Fish on this machine: real processes, loopback only, bounded in time.

    make bench                           all rows, about a quarter of an hour
    make bench ROWS=ingest,trip RUNS=9   some of them, more often
    bench/bench.py --build DIR [flags]   the same without make

Prints one table and writes it to build/bench.json. Each figure is the median of its runs. Beside it,
where there is a limit, stands its ratio to that limit, measured in the same run: nginx that answers 204
to the same posts, or the disk's own fdatasync. Only ratios can be compared between machines, or with a
run of another day. docs/performance.md says how to read it.
"""
import argparse
import json
import os
import platform
import shutil
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True

from rig import ROOT, Failed, Rig  # noqa: E402
from rows import GROUPS, IDLE, PARKED, PARKED_BIG, WAITING, Table  # noqa: E402
from crew import exit_on_signals  # noqa: E402


class Screen:
    """Progress on one line of a terminal, and nowhere else."""

    def __init__(self):
        self.terminal = sys.stderr.isatty()
        self.begun = time.monotonic()

    def say(self, text):
        if self.terminal:
            print(f"\r\x1b[K{time.monotonic() - self.begun:4.0f} s  {text}", end="", file=sys.stderr,
                  flush=True)

    def clear(self):
        if self.terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def numbers(text):
    try:
        found = tuple(int(word.replace("_", "")) for word in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no list of numbers like 1,64") from None
    if not all(number > 0 for number in found):
        raise argparse.ArgumentTypeError(f"'{text}': each must be more than 0")
    return found


def groups(text):
    found = [word for word in text.split(",") if word]
    for word in found:
        if word not in GROUPS:
            raise argparse.ArgumentTypeError(f"there are no rows '{word}': there are {', '.join(GROUPS)}")
    return found or list(GROUPS)


def options(argv):
    parser = argparse.ArgumentParser(
        prog="bench/bench.py", description=__doc__.split("\n")[0],
        epilog="rows: " + "; ".join(f"{name}: {group.__doc__}" for name, group in GROUPS.items()))
    environment = os.environ.get
    parser.add_argument("--build", default=ROOT / "build" / "release", help="where it was built")
    parser.add_argument("--rows", type=groups, default=environment("ROWS", ""), help="some rows [all]")
    parser.add_argument("--runs", type=int, default=environment("RUNS") or "5", help="of each figure [5]")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement [1]")
    parser.add_argument("--connections", type=numbers, default=(1, 16, 64, 256), help="[1,16,64,256]")
    parser.add_argument("--waiting", type=int, default=WAITING, help=f"flows that take deliveries [{WAITING}]")
    parser.add_argument("--parked", type=numbers,
                        default=PARKED + ((PARKED_BIG,) if environment("BIG") else ()),
                        help="flows to park [10k, 100k, 1M; with BIG=1 in the environment also 10M]")
    parser.add_argument("--idle", type=int, default=IDLE, help=f"connections that rest [{IDLE}]")
    parser.add_argument("--dir", default=ROOT / "build" / "bench", help="whose disk is measured [build/bench]")
    parser.add_argument("--out", default=ROOT / "build" / "bench.json", help="[build/bench.json]")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    o = parser.parse_args(argv)
    if o.runs < 1 or o.seconds <= 0 or o.waiting < 1 or o.idle < 1:
        parser.error("--runs, --seconds, --waiting and --idle must be more than 0")
    if "ingest" in o.rows and shutil.which("nginx") is None:
        raise Failed("nginx is not installed: scripts/deps bench installs it (or leave the ingest rows out: "
                     "ROWS=trip,order)")
    return o


def machine():
    """What the figures were made on."""
    cpu = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    return {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(),
            "date": time.strftime("%Y-%m-%d"), "load": round(os.getloadavg()[0], 1)}


def amount(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def print_table(rows):
    lines = [("figure", "settings", "median", "", "least … most", "ratio")]
    for row in rows:
        settings = ", ".join(f"{key.replace('_', ' ')} {value:,}" if not isinstance(value, bool)
                             else key.replace("_", " ") for key, value in row["settings"].items())
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f} × {row['of']}"
        lines.append((row["name"], settings, amount(row["value"]), row["unit"],
                      f"{amount(row['least'])} … {amount(row['most'])}", ratio))
    widths = [max(len(line[i]) for line in lines) for i in range(6)]
    for line in lines:
        print(f"{line[0]:<{widths[0]}}  {line[1]:<{widths[1]}}  {line[2]:>{widths[2]}} "
              f"{line[3]:<{widths[3]}}  {line[4]:<{widths[4]}}  {line[5]}".rstrip())


def main():
    o = options(sys.argv[1:])
    screen, table = Screen(), Table()
    started = machine()
    try:
        for name in o.rows:
            with Rig(o.build, o.dir) as rig:
                GROUPS[name](rig, o, table, screen.say)
    finally:
        screen.clear()
    told = {"machine": started, "runs": o.runs, "seconds": o.seconds, "rows": list(table.rows())}
    text = json.dumps(told, indent=1, ensure_ascii=False)
    Path(o.out).parent.mkdir(parents=True, exist_ok=True)
    Path(o.out).write_text(text + "\n")
    if o.json:
        print(text)
        return
    print(f"{started['date']}, {started['cpu']}, {started['cores']} cores, Linux {started['kernel']}, "
          f"load {started['load']} at the start; medians of {o.runs} runs of {o.seconds:g} s")
    print_table(told["rows"])
    print(f"written to {o.out}")


exit_on_signals()
try:
    main()
except Failed as failed:
    sys.exit(f"bench: {failed}")
except KeyboardInterrupt:
    sys.exit(130)
