#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Groups beside asyncio, which takes turns with them on the same machine; medians of ROUNDS. Prints a table
with the targets."""
import datetime
import os
import statistics
import subprocess

import takt

PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "asyncio-tasks.py")
ROUNDS = 3
STEPS = 9990  # lines of one file, beside its others

results = []


def report(name, ours, peer, ratio, target, met):
    results.append((name, ours, peer, ratio, target, "yes" if met else "NO"))
    print("  ".join(results[-1]), flush=True)


def peer(*arguments):
    output = subprocess.run(["/usr/bin/python3", PEER, *map(str, arguments)], check=True, capture_output=True, text=True).stdout
    return [float(word) for word in output.split()]


def group(*lines):
    return "\n".join(["[Job]", "Type=group", "[Group]", *lines, ""])


def sleep(duration):
    return f"[Job]\nType=sleep\n[Sleep]\nDuration={duration}\n"


def run(daemon, name):
    """Runs a job to its end."""
    id_ = daemon.control.call("io.takt.Runs.Start", job=name)["run"]["run"]
    return daemon.control.call("io.takt.Runs.Wait", runs=[id_])["runs"][0]


def peak(daemon):
    """Bytes that the daemon itself took at most."""
    with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) * 1024


def bench_gather(n):
    late, memory, peers = [], [], []
    for _ in range(ROUNDS):
        jobs = {"nap": sleep("1s"), "all": group(f"For=1..{n}", "Run=nap")}
        with takt.Daemon(jobs, [f"MaxRuns={n + 10}"]) as daemon:
            before = peak(daemon)
            late.append(run(daemon, "all")["durationUsec"] - 1e6)
            memory.append((peak(daemon) - before) / n)
        peers.append(peer("gather", n))
    ours, theirs = statistics.median(late), statistics.median(p[0] for p in peers)
    report(f"gather of {n} sleeps of 1 s, past 1 s", f"{ours / 1000:.0f} ms", f"{theirs / 1000:.0f} ms",
           f"{ours / theirs:.3f}", "<= 0.1", ours <= theirs / 10)
    ours, theirs = statistics.median(memory), statistics.median(p[1] for p in peers)
    report(f"gather of {n}, memory a task", f"{ours:.0f} B", f"{theirs:.0f} B", f"{ours / theirs:.2f}", "<= 0.33",
           ours <= theirs / 3)


def bench_rate(name, what, lines):
    ours, theirs = [], []
    with takt.Daemon({"nap": sleep("1h"), "zero": sleep("0"), "group": group(*lines)}, ["MaxRuns=20000"]) as daemon:
        for _ in range(ROUNDS):
            ours.append(STEPS / (run(daemon, "group")["durationUsec"] / 1e6))
            theirs += peer(what, STEPS)
    ours, theirs = statistics.median(ours), statistics.median(theirs)
    report(name, f"{ours:.0f} /s", f"{theirs:.0f} /s", f"{ours / theirs:.2f}", ">= 5", ours >= 5 * theirs)


def bench_spread():
    def ended(text):
        return datetime.datetime.fromisoformat(text["finished"].replace("Z", "+00:00")).timestamp()

    ours, theirs = [], []
    with takt.Daemon({"nap": sleep("1s"), "two": group("Run=nap", "Run=nap")}) as daemon:
        for _ in range(ROUNDS):
            run(daemon, "two")
            runs = daemon.control.call("io.takt.Runs.List", jobs=["nap"], limit=2)["runs"]
            ours.append(abs(ended(runs[0]) - ended(runs[1])) * 1e6)
            theirs += peer("spread", 2)
    ours, theirs = statistics.median(ours), statistics.median(theirs)
    report("spread of the ends of two sleeps", f"{ours:.0f} us", f"{theirs:.0f} us", "-", "< 1 ms", ours < 1000)


def main():
    bench_gather(10000)
    bench_gather(100000)
    bench_rate("members created and cancelled", "cancel", ["Mode=taskgroup", *["Run=nap"] * STEPS, "Run=none"])
    bench_rate("steps of a chain", "chain", ["Mode=chain", *["Run=zero"] * STEPS])
    bench_spread()
    rows = [("what, and asyncio", "takt", "asyncio", "ratio", "target", "met"), *results]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    print()
    for row in rows:
        print("  ".join([row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:]))]))


main()
