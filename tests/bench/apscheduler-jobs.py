#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""APScheduler with N empty interval jobs of PERIOD seconds, for SECONDS: as it comes, with a pool of threads, or on
asyncio's loop. Prints how many fired a second, and a second of processor time; nothing where it is not installed.

usage: apscheduler-jobs.py threads|asyncio N PERIOD SECONDS"""
import asyncio
import logging
import sys
import time

try:
    from apscheduler.schedulers.asyncio import AsyncIOScheduler
    from apscheduler.schedulers.background import BackgroundScheduler
except ImportError:
    sys.exit("python3-apscheduler is not installed")

fired = 0


def job():
    global fired
    fired += 1


async def coroutine():
    job()


async def main(kind, n, period, seconds):
    logging.disable(logging.CRITICAL)
    scheduler = {"threads": BackgroundScheduler, "asyncio": AsyncIOScheduler}[kind](timezone="UTC")
    for _ in range(n):
        scheduler.add_job(coroutine if kind == "asyncio" else job, "interval", seconds=period)
    scheduler.start()
    await asyncio.sleep(2 * period)
    before, begin, cpu = fired, time.monotonic(), time.process_time()
    await asyncio.sleep(seconds)
    runs, span, cpu = fired - before, time.monotonic() - begin, time.process_time() - cpu
    print(runs / span, runs / cpu)

asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
