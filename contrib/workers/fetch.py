#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A worker that runs asyncio code: the same function that a script would await. See fetch.job."""
import asyncio
import json
import sys


async def handle(params):
    """The work: all delays at once, as asyncio.gather does it."""
    async def one(delay):
        await asyncio.sleep(delay)
        return delay

    return await asyncio.gather(*(one(d) for d in params["delays"]))


async def main():
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        call = json.loads(line)
        try:
            answer = {"id": call["id"], "result": await handle(call["params"])}
        except Exception as e:  # whatever it is, takt should tell of it
            answer = {"id": call["id"], "error": {"kind": "python", "message": repr(e)}}
        print(json.dumps(answer), flush=True)


asyncio.run(main())
