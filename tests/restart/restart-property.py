#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds taktd to what it promises about runs over all of its lives.

 1  A run is executed once, or as often as Retries= allows over all lives of the daemon, and never again after it ended;
    after a clean stop nothing of it is left.
 2  So it is whatever way a run ends (--matrix).
 3  Ids never repeat, whatever happens to the state directory.
 4  All runs of one name count for Overlap=, also where its file was taken away and put back, and over a kill -9.
 5  What kills the daemon twice in a row within 10 s of its start is poison, and is not tried a third time.
 6  What clients get is always JSON, and they never fail.
 7  Exit= commands of what was entered run exactly once.
 0  Everything else works at all.
"""
import argparse
import os
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases  # noqa: E402  pylint: disable=wrong-import-position
import matrix  # noqa: E402  pylint: disable=wrong-import-position
from control import Violation, tolerated  # noqa: E402  pylint: disable=wrong-import-position
from seeds import make_plan  # noqa: E402  pylint: disable=wrong-import-position
from walk import Walk  # noqa: E402  pylint: disable=wrong-import-position

HISTORY_SHOWN = 100  # lines of what happened last


def do_plan(plan, options):
    """Walks through a plan; the text of what broke, or an empty one."""
    walk = Walk(plan.jobs, plan.resources, plan.settings, plan.small_disk, options.verbose)
    if plan.small_disk and not walk.lab.has_small_disk:
        walk.say("there are no mount namespaces here: the disk is never full")
    try:
        walk.begin_life("nothing")
        walk.do([step for number, step in enumerate(plan.steps, 1) if not options.steps or number in options.steps])
        walk.finish(plan.ask)
        return ""
    except Violation as violation:
        return "\n".join([f"promise {violation.promise}: {violation}", *walk.history[-HISTORY_SHOWN:]])
    finally:
        walk.close()


def run_task(task, options):
    kind, name = task
    if kind == "seed":
        return do_plan(make_plan(name), options)
    if kind == "case":
        return do_plan(cases.make_plan(name), options)
    return matrix.run(name, options)


def command_of(task):
    kind, name = task
    return f"restart-property.py --{kind} {name} --verbose"


class Pool:
    """Tasks in processes of their own, as many at a time as there are processors, and one more, as they often wait."""

    def __init__(self, options):
        self.options = options
        self.running = {}
        self.failed = []

    def start(self, task):
        output = tempfile.TemporaryFile("w+", encoding="utf-8", errors="backslashreplace")
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            text = "promise 0: the test itself failed"
            try:
                text = run_task(task, self.options)
            except BaseException:  # pylint: disable=broad-exception-caught
                text += "\n" + traceback.format_exc()
            finally:
                output.write(text)
                output.flush()
                sys.stdout.flush()
                os._exit(bool(text))
        self.running[pid] = task, output

    def finish_one(self):
        pid, status = os.wait()
        task, output = self.running.pop(pid)
        if status:
            output.seek(0)
            text = output.read() or f"promise 0: the test itself ended with status {status}"
            self.failed.append((task, text.split("\n", 1)[0]))
            shown = text if len(self.failed) <= self.options.show else text.split("\n", 1)[0]
            print(f"FAIL {task[0]} {task[1]}: {shown}\n  again: {command_of(task)}", flush=True)
        output.close()

    def run(self, tasks):
        for task in tasks:
            if len(self.running) >= self.options.jobs:
                self.finish_one()
            self.start(task)
        while self.running:
            self.finish_one()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="run this seed alone")
    parser.add_argument("--seeds", type=int, default=0, help="run so many seeds")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--steps", type=lambda text: {int(n) for n in text.split(",")}, default=set(),
                        help="do only these steps of a seed, by their numbers with commas between")
    parser.add_argument("--case", help="run this case alone")
    parser.add_argument("--cases", action="store_true", help="run all cases, at least one a promise")
    parser.add_argument("--slow", action="store_true", help="and those that take a minute")
    parser.add_argument("--matrix", nargs="?", const="all", help="run the matrix of all ends, or one kind's part of it")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)) + 1, help="how many at a time")
    parser.add_argument("--tries", type=int, default=1, help="walk again what fails, up to so many times in all; it fails where "
                        "most of them do. The steps are the same each time, what comes first in the machine is not")
    parser.add_argument("--but", action="append", default=[], metavar="PATTERN",
                        help="go on where what is wrong matches, to see what lies behind a fault that is known")
    parser.add_argument("--show", type=int, default=5, help="how many failures to print in full; of others a line is printed")
    parser.add_argument("--verbose", action="store_true", help="print what happens")
    return parser.parse_args()


def tasks_of(options):
    tasks = []
    if options.cases:
        tasks += [("case", name) for name in cases.names(options.slow)]
    if options.case:
        tasks.append(("case", options.case))
    if options.matrix:
        tasks += [("matrix", part) for part in (matrix.PARTS if options.matrix == "all" else [options.matrix])]
    if options.seed is not None:
        tasks.append(("seed", options.seed))
    tasks += [("seed", seed) for seed in range(options.first, options.first + options.seeds)]
    return tasks


def fails_mostly(task, options):
    """Whether TASK, which has failed once, does so in most of the tries that it has."""
    again = Pool(options)
    again.run([task] * (options.tries - 1))
    return 2 * (len(again.failed) + 1) > options.tries


def main():
    options = parse_arguments()
    tolerated.extend(options.but)
    begin = time.monotonic()
    tasks = tasks_of(options)
    pool = Pool(options)
    pool.run(tasks)
    failed = [(task, text) for task, text in pool.failed if fails_mostly(task, options)]
    promises = sorted({text.split(":", 1)[0] for _, text in failed})
    print(f"{len(tasks)} walks in {time.monotonic() - begin:.1f} s, {len(failed)} of them fail"
          + (f" ({', '.join(promises)})" if promises else "")
          + (f"; {len(pool.failed) - len(failed)} failed once and not again" if len(pool.failed) > len(failed) else ""))
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
