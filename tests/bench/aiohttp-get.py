#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""GETs of one document with aiohttp for 4 s; prints as bench-http does. usage: aiohttp-get.py URL PARALLEL"""
import asyncio
import resource
import sys
import time

import aiohttp

SECONDS = 4


async def main(url, parallel):
    end = time.monotonic() + SECONDS
    done = 0

    async def client(session):
        nonlocal done
        while time.monotonic() < end:
            async with session.get(url) as response:
                await response.read()
            done += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=parallel)) as session:
        await asyncio.gather(*(client(session) for _ in range(parallel)))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(f"aiohttp {done / SECONDS:.0f} {(usage.ru_utime + usage.ru_stime) * 1e6 / done:.1f}")


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
