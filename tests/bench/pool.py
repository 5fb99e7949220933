#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The peer of bench-pool: a multiprocessing.Pool of two, told on standard input how many calls to time; and the
same function as a worker of a pool of takt's."""
import multiprocessing
import sys
import time


def work(line):
    return line


def worker():
    for line in sys.stdin:
        sys.stdout.write(work(line))
        sys.stdout.flush()


def peer():
    with multiprocessing.Pool(2) as pool:
        pool.map(work, ["x"] * 100, chunksize=1)
        for line in sys.stdin:
            how, n = line.split()
            n = int(n)
            lines = [str(i) for i in range(n)]
            begin = time.monotonic()
            if how == "map":
                pool.map(work, lines, chunksize=1)
            else:
                for item in lines:
                    pool.apply(work, (item,))
            print(n / (time.monotonic() - begin), flush=True)


if __name__ == "__main__":
    worker() if sys.argv[1] == "worker" else peer()
