# SPDX-License-Identifier: LGPL-2.1-or-later
"""What may happen to a state directory. Nothing here knows a format but that text in it is JSON."""
import os
import shutil

LOSSES = ("next-run", "active-runs", "schedule-times", "files", "directory")
DAMAGES = ("quote", "flip", "cut", "zeros", "noise")


def _names(state):
    return [name for name in sorted(os.listdir(state)) if os.path.isfile(f"{state}/{name}")]


def _edit(path, change):
    if not os.path.exists(path):
        return
    with open(path, "r+b") as file:
        data = bytearray(file.read())
        changed = change(data)
        file.seek(0)
        file.truncate()
        file.write(changed)


def _flip(data, rng):
    places = [i for i, byte in enumerate(data) if byte]
    for i in rng.sample(places, min(len(places), 8)):
        data[i] = rng.randrange(256)
    return data


def _quote(data, _):
    """Texts that are there are no JSON any more, and no UTF-8."""
    return data.replace(b'"token":"', b'"tok\xff\n":!')


def _cut(data, rng):
    return data[:rng.randrange(len(data) + 1)]


def _zeros(data, rng):
    begin = rng.randrange(len(data) + 1)
    length = len(data[begin:begin + 4096])
    return data[:begin] + bytes(length) + data[begin + length:]


def _noise(data, rng):
    return data[:16] + rng.randbytes(max(0, len(data) - 16))


_DAMAGES = {"quote": _quote, "flip": _flip, "cut": _cut, "zeros": _zeros, "noise": _noise}


def spoil(state, how, rng):
    """Loses or damages what is in the directory STATE, if it is there.

    Run ids are only ever lost: see run-id.h for what is no number.
    """
    if not os.path.isdir(state):
        return
    if how in _DAMAGES:
        for name in ("active-runs", "schedule-times"):
            _edit(f"{state}/{name}", lambda data: _DAMAGES[how](data, rng))
    elif how == "directory" and not os.path.ismount(state):
        shutil.rmtree(state)
    else:
        for name in _names(state):
            if how in ("files", "directory") or name == how:
                os.unlink(f"{state}/{name}")
