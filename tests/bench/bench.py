#!/usr/bin/env python3
"""Measures what Gantry adds to the commands that it runs, and prints one table. docs/performance.md says how to read it."""

import argparse
import json
import os
import sys

import report
from rows_binary import b1
from rows_caches import p8
from rows_check import p9
from rows_files import p7, p11
from rows_output import p5, p6
from rows_services import p4, p10
from rows_start import p1, p2, p3
from world import World, describe

ROWS = {"P1": p1, "P2": p2, "P3": p3, "P4": p4, "P5": p5, "P6": p6, "P7": p7, "P8": p8, "P9": p9, "P10": p10, "P11": p11,
        "B1": b1}


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--rows", default=",".join(ROWS), help="only these, such as P1,P3")
    parser.add_argument("--pairs", type=int, default=10, help="measurements of each side (default: 10)")
    parser.add_argument("--quick", action="store_true", help="3 pairs, one size, nothing that takes long")
    parser.add_argument("--clean-build", action="store_true", help="also time a clean build")
    parser.add_argument("--json", metavar="FILE", help="all samples as JSON")
    parser.add_argument("--write", metavar="FILE", help="put the table into this document")
    options = parser.parse_args()
    options.rows = options.rows.split(",")
    unknown = [row for row in options.rows if row not in ROWS]
    if unknown:
        parser.error(f"there is no row {unknown[0]}; there are {', '.join(ROWS)}")
    if options.write and (options.quick or set(options.rows) != set(ROWS)):
        parser.error("--write needs all rows")
    if options.quick:
        options.pairs = min(options.pairs, 3)
    return options


def measure(world, options):
    cases = []
    for row in options.rows:
        for case in ROWS[row](world):
            if options.quick and not case.main:
                continue
            case.row = row
            cases.append(case)
            print(f"{row}: {case.what}, against {case.against or 'nothing'}: ", end="", file=sys.stderr, flush=True)
            case.measure(options.pairs)
            print(case.figure.text(case.median()) if case.our_samples else case.failure or case.skipped, file=sys.stderr)
    return cases


def main():
    options = arguments()
    if "GANTRY" not in os.environ:
        sys.exit("GANTRY must name the release binary; ./dev bench does that")
    world = World(os.environ["GANTRY"])
    world.clean_build = options.clean_build
    try:
        facts = describe(world)
        if not world.docker:
            print("there is no docker command in PATH: rows beside it are skipped", file=sys.stderr)
        cases = measure(world, options)
    finally:
        world.close()
    print(report.facts_text(facts, options.pairs), report.text_table(cases), sep="\n\n")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(report.as_json(cases, facts, options.pairs), file, indent=1)
    if options.write:
        report.write_into(options.write, cases, facts, options.pairs)
    sys.exit(1 if any(case.failure for case in cases) else 0)


if __name__ == "__main__":
    main()
