#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""asyncio as the peer of groups. usage: asyncio-tasks.py gather|cancel|chain N; prints figures for bench-tasks.py."""
import asyncio
import resource
import sys
import time


async def gather(n):
    """Microseconds past one second, bytes a task."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.monotonic()
    await asyncio.gather(*(asyncio.sleep(1) for _ in range(n)))
    late = time.monotonic() - begin - 1
    print(late * 1e6, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / n)


async def cancel(n):
    """Tasks a second that are created, begun and cancelled."""
    begin = time.monotonic()
    tasks = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(n)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(n / (time.monotonic() - begin))


async def step(value):
    return value


async def chain(n):
    """Tasks a second, each with the result of the one before."""
    begin, value = time.monotonic(), None
    for _ in range(n):
        value = await asyncio.create_task(step(value))
    print(n / (time.monotonic() - begin))


async def spread(_n):
    """Microseconds between the ends of two tasks of a second."""
    async def nap():
        await asyncio.sleep(1)
        return time.monotonic()
    first, second = await asyncio.gather(nap(), nap())
    print(abs(second - first) * 1e6)


asyncio.run({"gather": gather, "cancel": cancel, "chain": chain, "spread": spread}[sys.argv[1]](int(sys.argv[2])))
