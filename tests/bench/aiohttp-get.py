#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""GETs of one document with aiohttp; prints as bench-http does.

usage: aiohttp-get.py URL PARALLEL [SECONDS [json]]     json: decodes it and takes one value out
"""
import asyncio
import resource
import sys
import time

import aiohttp


async def main(url, parallel, seconds, decode):
    end = time.monotonic() + seconds
    done = 0

    async def client(session):
        nonlocal done
        values = []
        while time.monotonic() < end:
            async with session.get(url) as response:
                if decode:
                    values.append((await response.json())["main"]["temp"])
                else:
                    await response.read()
            values.clear()
            done += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=parallel)) as session:
        await asyncio.gather(*(client(session) for _ in range(parallel)))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(f"aiohttp {done / seconds:.0f} {(usage.ru_utime + usage.ru_stime) * 1e6 / done:.1f}")


asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else 4, sys.argv[4:] == ["json"]))
