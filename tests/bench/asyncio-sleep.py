#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""N asyncio tasks that sleep a second each. Prints the seconds from the first start to the last end, the peak of
resident bytes, and the seconds of processor time.

usage: asyncio-sleep.py N"""
import asyncio
import resource
import sys
import time


async def main(n):
    begin = time.monotonic()
    await asyncio.gather(*(asyncio.sleep(1) for _ in range(n)))
    print(time.monotonic() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, time.process_time())

asyncio.run(main(int(sys.argv[1])))
