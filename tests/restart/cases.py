# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shortest walk to each promise, one or more of each."""
from jobs import Job
from seeds import Plan

LONG = "x" * 60


def _case(*jobs, steps=(), resources=None, slow=False, **more):
    return Plan(list(jobs), resources or {}, "", list(steps), **more), slow


def _start(name, token, **more):
    return "start", {"name": name, "token": token, **more}


def _starts(name, tokens):
    return "starts", {"name": name, "tokens": list(tokens)}


def _spoil(how, after, number=0):
    return "spoil", {"how": how, "number": number, "after": after}


STOP, KILL, HURRY, FILL, FREE, ASK = (("stop", {}), ("kill", {}), ("hurry", {}), ("fill", {}), ("free", {}), ("ask", {}))
MANY = [f"s{i}" for i in range(300)]


def _promise_1():
    yield "1-retried-then-stopped", _case(Job("again", behaviour="flaky", retries=1),
                                          steps=[_start("again", "a"), ("release", {"name": "again"}), STOP])
    yield "1-stopped-while-retrying", _case(Job("again", behaviour="fail", retries=3, delay="1h"),
                                            steps=[_start("again", "a"), STOP])
    yield "1-killed-often", _case(Job("held", behaviour="hold", retries=1),
                                  steps=[_start("held", "a"), KILL, KILL, KILL])
    yield "1-killed-once", _case(Job("held", behaviour="hold", retries=2), steps=[_start("held", "a"), KILL])
    yield "1-killed-without-retries", _case(Job("held", behaviour="hold"), steps=[_start("held", "a"), KILL, STOP])
    yield "1-killed-between-attempts", _case(Job("again", behaviour="fail", retries=1, delay="1h"),
                                             steps=[_start("again", "a"), KILL])
    yield "1-sleep-killed", _case(Job("nap", "sleep", "stay", retries=3), steps=[_start("nap", "a"), KILL, STOP])
    yield "1-group-killed", _case(Job("part", behaviour="hold", group="group", overlap="parallel", member_limit=3),
                                  Job("group", "group", retries=2, members=("part",)), steps=[_start("group", "a"), KILL, STOP])
    yield "1-queued-and-killed", _case(Job("held", behaviour="hold", overlap="queue"),
                                       steps=[_start("held", "a"), _start("held", "b", wait=False), KILL, STOP])
    yield "1-pool-cancelled", _case(Job("held", "pool", "slow"),
                                    steps=[_start("held", "a"), ("cancel", {"name": "held", "token": "a"})])
    yield "1-scheduled-and-killed", _case(Job("often", behaviour="flaky", retries=1, schedule=("Every=50ms",)),
                                          steps=[STOP, KILL, STOP, KILL, KILL, STOP])
    for kind in ("exec", "pool", "worker"):
        yield f"1-cancelled-and-killed-{kind}", _case(Job("held", kind, "slow", retries=2), steps=[
            _start("held", "a"), ("cancel", {"name": "held", "token": "a"}), KILL, ("release", {"name": "held"})])
    yield from _leaving()
    yield "1-grows", _case(Job("again", behaviour="flaky", retries=1, overlap="parallel", kind="http"),
                           steps=[step for i in range(150) for step in (
                               _starts("again", [f"{i}.{k}" for k in range(4)]), ("release", {"name": "again"}))] + [STOP])


def _leaving():
    """What comes of a lost run is decided when it has left what it had entered, whatever happened meanwhile."""
    def change(retries):
        return "change", {"name": "held", "field": "retries", "value": retries}

    away, back = ("away", {"name": "held"}), ("back", {"name": "held"})
    leave, cancel = ("leave", {"name": "held"}), ("cancel", {"name": "held", "token": "a"})
    for name, retries, steps in (("nothing", 1, []), ("retries-raised", 0, [change(2)]), ("retries-lowered", 2, [change(0)]),
                                 ("away", 2, [away]), ("away-and-back", 2, [away, back]),
                                 ("retries-lowered-away", 2, [change(0), away]), ("cancel", 2, [cancel]),
                                 ("cancel-kill", 2, [cancel, KILL])):
        for kind in ("exec", "worker"):
            held = Job("held", kind, "hold", retries=retries, guard="gated")
            yield f"1-left-after-{name}-{kind}", _case(held, steps=[_start("held", "a"), KILL, *steps, leave, back,
                                                                    ("release", {"name": "held"})])


def _promise_3():
    held = Job("held", behaviour="hold", retries=2)
    for how in ("next-run", "active-runs", "files", "directory"):
        yield f"3-{how}-lost-after-stop", _case(held,
                                                steps=[_start("held", "a"), _spoil(how, "stop"), _start("held", "b")])
        yield f"3-{how}-lost-after-kill", _case(held,
                                                steps=[_start("held", "a"), _spoil(how, "crash"), _start("held", "b")])
        yield f"3-{how}-lost-below", _case(held,
                                           steps=[_start("held", "a"), ("lose", {"how": how}), STOP, _start("held", "b"),
                                                        ("lose", {"how": how}), KILL, _start("held", "c")])
    for name, end in (("killed", KILL), ("stopped", STOP)):
        yield f"3-disk-full-and-{name}", _case(Job("short", "sleep", overlap="parallel"), small_disk=True,
                                               steps=[FILL, ("burst", {"name": "short", "tokens": MANY}), end, FREE,
                                                      _starts("short", ["b", "c", "d"])])


def _promise_4():
    away, back = ("away", {"name": "held"}), ("back", {"name": "held"})
    for kind in ("exec", "worker", "pool"):
        held = Job("held", kind, "hold")
        yield f"4-{kind}-away-and-back", _case(held, steps=[_start("held", "a"), away, back, _start("held", "b")])
    yield "4-sleep-away-and-back", _case(Job("held", "sleep", "stay"),
                                         steps=[_start("held", "a"), away, back, _start("held", "b")])
    yield "4-away-killed-back", _case(Job("held", behaviour="slow"),
                                      steps=[_start("held", "a"), away, KILL, back, _start("held", "b")])
    yield "4-killed-slow", _case(Job("held", behaviour="slow"),
                                 steps=[_start("held", "a"), KILL, _start("held", "b")])
    yield "4-killed-stubborn", _case(Job("held", behaviour="stubborn", retries=1), steps=[_start("held", "a"), KILL])
    yield "4-killed-pool", _case(Job("held", "pool", "slow"), steps=[_start("held", "a"), KILL, _start("held", "b")])
    yield "4-killed-worker", _case(Job("held", "worker", "slow"),
                                   steps=[_start("held", "a"), KILL, _start("held", "b")])
    yield "4-pool-replaced", _case(Job("held", "pool", "slow", overlap="replace"),
                                   steps=[_start("held", "a"), _start("held", "b")])
    yield "4-killed-instance", _case(Job("held@", behaviour="slow"),
                                     steps=[_start("held@a", "a"), KILL, _start("held@a", "b")])


def _promise_5():
    for kind in ("exec", "worker", "pool"):
        for retries in (0, 1, 5):
            killer = Job("killer", kind, "kill", retries=retries)
            yield f"5-{kind}-retries-{retries}", _case(killer, steps=[("killer", {"name": "killer", "token": "a"}),
                                                                      ("killer", {"name": "killer", "token": "b"})])
    for kind in ("exec", "worker"):
        killer = Job("killer", kind, "kill", retries=4)
        yield f"5-{kind}-unheard", _case(killer, steps=[("killer", {"name": "killer", "token": "a", "heard": False}),
                                                        ("killer", {"name": "killer", "token": "b"}), STOP])
    yield "5-member", _case(Job("part", behaviour="kill", group="killer", overlap="parallel", member_limit=6),
                            Job("killer", "group", retries=5, members=("part",)), steps=[("killer", {"name": "killer", "token": "a"})])
    yield "5-not-in-a-row", _case(Job("held", behaviour="hold", retries=4, timeout="300ms"),
                                  steps=[_start("held", "a"), KILL])
    yield "5-late", _case(Job("held", behaviour="hold", retries=3), slow=True,
                          steps=[_start("held", "a"), ("pass", {"seconds": 12}), KILL, ("pass", {"seconds": 12}), KILL])


def _promise_6():
    held = Job("held", behaviour="hold", retries=2, overlap="parallel")
    yield "6-odd-parameters", _case(held, steps=[_start("held", f"t{i}", pad=pad) for i, pad in enumerate(
        ('"', "\\", "\x01\x1f\n", "\u2028\U0001f600", "", LONG * 5))] + [KILL, ASK, STOP, ASK])
    yield "6-odd-output", _case(Job("odd", behaviour="odd", retries=1), Job("odd-worker", "worker", "odd"),
                                steps=[_start("odd", "a"), _start("odd-worker", "b"), KILL, ASK])
    for how, numbers in (("quote", 1), ("flip", 4), ("cut", 3), ("zeros", 3), ("noise", 2)):
        for number in range(numbers):
            yield f"6-{how}-{number}", _case(held,
                                             steps=[_starts("held", ["a", "b", "c"]), _spoil(how, "crash", number), ASK])


def _promise_7():
    resources = {"red": True, "sea": True}
    held = Job("held", behaviour="hold", uses=("red", "sea"), guard="ok", retries=1)
    nap = Job("nap", "sleep", "stay", uses=("red",), guard="ok")
    for name, step in (("stop", STOP), ("kill", KILL), ("hurry", HURRY)):
        yield f"7-held-and-{name}", _case(held, resources=resources, steps=[_start("held", "a"), step])
        yield f"7-nap-and-{name}", _case(nap, resources=resources, steps=[_start("nap", "a"), step])
    yield "7-killed-in-exit", _case(held, resources=resources,
                                    steps=[_start("held", "a"), ("kill", {"release": ["held"]})])
    yield "7-killed-twice", _case(held, resources=resources, steps=[_start("held", "a"), KILL, KILL, STOP])
    yield "7-one-after-the-other", _case(held, Job("other", uses=("red",)), resources=resources,
                                         steps=[_start("held", "a"), _start("other", "b", wait=False), KILL, _start("other", "c")])
    yield "7-cannot-enter", _case(Job("held", behaviour="hold", uses=("red",), guard="fail", retries=1), resources=resources,
                                  steps=[_start("held", "a"), KILL])
    yield "7-member", _case(Job("part", behaviour="hold", group="group", overlap="parallel", uses=("red",), guard="ok"),
                            Job("group", "group", members=("part",)), resources=resources, steps=[_start("group", "a"), KILL])


def _all():
    for promise in (_promise_1, _promise_3, _promise_4, _promise_5, _promise_6, _promise_7):
        yield from promise()


def names(slow=False):
    """Of all cases; those that wait for long with SLOW alone."""
    return [name for name, (_, is_slow) in _all() if slow or not is_slow]


def make_plan(name):
    for other, (plan, _) in _all():
        if other == name:
            return plan
    raise SystemExit(f"there is no case {name}; there are {' '.join(names(True))}")
