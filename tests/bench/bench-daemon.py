#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What taktd as a process achieves, each figure beside that of a peer, which takes turns with it on the
same machine; medians of ROUNDS. Prints a table, with the targets.

usage: bench-daemon.py NGINX-URL ODD-URL [NAME…]     the URLs of a small document and of odd-server.py
"""
import os
import statistics
import subprocess
import sys
import threading
import time

import takt

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = takt.BUILD + "/tests/bench/peers"
ROUNDS = 5
ROUND_SECONDS = 1.0

results = []


def report(name, ours, peer, ratio, target, met):
    """OURS, PEER and RATIO as text; MET None where there is no target."""
    results.append((name, ours, peer, ratio, target, {True: "yes", False: "NO", None: ""}[met]))
    print("  ".join(results[-1]), flush=True)


def ratio(ours, theirs, digits=0):
    """A peer under load may come to nothing at all."""
    return f"{ours / theirs:.{digits}f}" if theirs else "inf"


def peer(*arguments):
    output = subprocess.run([PEERS, *map(str, arguments)], check=True, capture_output=True, text=True).stdout
    return [float(word) for word in output.split()]


def aiohttp(url, parallel, seconds):
    output = subprocess.run(["/usr/bin/python3", HERE + "/aiohttp-get.py", url, str(parallel), str(seconds), "json"],
                            check=False, capture_output=True, text=True).stdout
    return float(output.split()[1]) if output else None


def job(type_, every, *lines, overlap=None):
    """A job file; EVERY is a line of [Schedule], LINES are what follows."""
    schedule = [every] + ([f"Overlap={overlap}"] if overlap else [])
    return "\n".join(["[Job]", f"Type={type_}", "[Schedule]", *schedule, *lines, ""])


def http(url, every, *lines, **keywords):
    return job("http", every, "[Http]", f"Url={url}", *lines, **keywords)


def compare(ours, peers):
    """Lets OURS and each of PEERS, functions by name, take turns; returns the median rates."""
    rates = {name: [] for name in ("takt", *peers)}
    for _ in range(ROUNDS):
        for name, measure in {"takt": ours, **peers}.items():
            rate = measure()
            if rate is not None:
                rates[name].append(rate)
    return {name: statistics.median(values) for name, values in rates.items() if values}


def bench_slow(_nginx, odd):
    """20 URLs that answer in 0.8 s beside 10 fast ones, every second for 20 s."""
    for overlap in ("parallel", "skip"):
        jobs = {}
        for i in range(20):
            jobs[f"slow-{i}"] = http(f"{odd}/late?0.8", "Every=1s", "[Schedule]", "Count=20", overlap=overlap)
        for i in range(10):
            jobs[f"fast-{i}"] = http(f"{odd}/late?0", "Every=1s", "[Schedule]", "Count=20", overlap=overlap)
        with takt.Daemon(jobs) as daemon:
            daemon.wait(lambda runs: sum(runs.values()) >= 600 and not runs.get("running"))
            found = daemon.control.call("io.takt.Jobs.List")["jobs"]
        counts = {}
        for kind in ("slow", "fast"):
            mine = [j["runs"] for j in found if j["job"].startswith(kind)]
            counts[kind] = {state: sum(m.get(state, 0) for m in mine) for state in ("succeeded", "skipped", "missed")}
        fast, slow = counts["fast"]["succeeded"], counts["slow"]["succeeded"]
        accounted = slow + counts["slow"]["skipped"] + counts["slow"]["missed"]
        report(f"polls of fast URLs beside slow ones, {overlap}", f"{fast}", "200 due", f"{fast / 200:.2f}", "1", fast == 200)
        if overlap == "parallel":
            report("polls of slow URLs, parallel", f"{slow}", "400 due", f"{slow / 400:.2f}", "1", slow == 400)
        else:
            report("polls and skips of slow URLs, skip", f"{slow}+{accounted - slow}", "400 due", f"{accounted / 400:.2f}", "1",
                   accounted == 400)


def bench_polls(nginx, _odd):
    """Polls a second of a small document, 64 at a time, decoded, with one output."""
    text = http(nginx, "After=1us", "[Result]", "Output=temp: $.main.temp")
    with takt.Daemon({f"poll-{i}": text for i in range(64)}) as daemon:
        daemon.pause()
        rates = compare(lambda: daemon.rate(ROUND_SECONDS), {
            "multi-socket": lambda: peer("multi-socket", nginx, 64, ROUND_SECONDS)[0],
            "multi-poll": lambda: peer("multi-poll", nginx, 64, ROUND_SECONDS)[0],
            "aiohttp": lambda: aiohttp(nginx, 64, ROUND_SECONDS),
        })
        bad = {state: n for state, n in daemon.runs().items() if state in ("failed", "timeout") and n}
    if bad:
        raise SystemExit(f"polls went wrong: {bad}")
    bare = max(rates["multi-socket"], rates["multi-poll"])
    report("polls /s, bare curl multi", f"{rates['takt']:.0f}", f"{bare:.0f}", f"{rates['takt'] / bare:.2f}", "0.70",
           rates["takt"] >= 0.7 * bare)
    if "aiohttp" in rates:
        report("polls /s, aiohttp", f"{rates['takt']:.0f}", f"{rates['aiohttp']:.0f}",
               f"{rates['takt'] / rates['aiohttp']:.1f}", "7", rates["takt"] >= 7 * rates["aiohttp"])
    else:
        print("aiohttp is not installed (python3-aiohttp)", file=sys.stderr)


def commands(daemon, name, parallel):
    rates = compare(lambda: daemon.rate(ROUND_SECONDS), {"spawn": lambda: peer("spawn", parallel, ROUND_SECONDS)[0]})
    report(name, f"{rates['takt']:.0f}", f"{rates['spawn']:.0f}", f"{rates['takt'] / rates['spawn']:.2f}", "0.90",
           rates["takt"] >= 0.9 * rates["spawn"])


TRUE = job("exec", "After=1us", "[Exec]", "Command=/bin/true")


def bench_commands(_nginx, _odd):
    """Commands a second beside a loop of posix_spawn() and wait()."""
    for parallel in (2, 8):
        with takt.Daemon({f"true-{i}": TRUE for i in range(parallel)}) as daemon:
            daemon.pause()
            commands(daemon, f"commands /s, posix_spawn, {parallel} at a time", parallel)


def bench_large(_nginx, _odd):
    """The same from a daemon that has 500 MB resident: two million jobs that wait to be started by hand."""
    jobs = {f"true-{i}": TRUE for i in range(2)}
    jobs.update({f"idle-{i}@": "[Job]\nType=sleep\nInstances=1..1000000\n" for i in range(2)})
    with takt.Daemon(jobs) as daemon:
        daemon.measured = ["true-0", "true-1"]  # a pattern is held against all names
        daemon.pause()
        commands(daemon, f"commands /s, posix_spawn, 2 at a time, {daemon.memory('Rss') / 1e6:.0f} MB resident", 2)


def watch(connection, runs):
    """Collects the runs that ended."""
    try:
        while True:
            run = connection.receive()["event"].get("data")
            if run:
                runs.append(run)
    except (OSError, EOFError):
        pass


def bench_lateness(nginx, _odd):
    """Lateness of a job of 10 ms beside that of a timerfd, while polls and commands run flat out."""
    seconds = 10
    jobs = {f"poll-{i}": http(nginx, "After=1us", "[Result]", "Output=temp: $.main.temp") for i in range(64)}
    jobs.update({f"true-{i}": TRUE for i in range(2)})
    jobs["tick"] = job("sleep", "Every=10ms", "[Sleep]", "Duration=0")
    runs = []
    with takt.Daemon(jobs) as daemon:
        time.sleep(1)
        connection = daemon.connect()
        connection.send("io.takt.Runs.Watch", more=True, jobs=["tick"], events=["succeeded"])
        thread = threading.Thread(target=watch, args=(connection, runs), daemon=True)
        thread.start()
        before, begin = daemon.ended(), time.monotonic()
        p50, p99, worst = peer("timer", 10000, seconds)
        load = (daemon.ended() - before) / (time.monotonic() - begin)
    thread.join(5)
    late = sorted(takt.lateness(runs, 10000))
    if len(late) < 95 * seconds:
        raise SystemExit(f"only {len(late)} occurrences of the 10 ms job")
    ours = late[len(late) * 99 // 100]
    print(f"10 ms job beside {load:.0f} runs /s: late by {late[len(late) // 2]} us in the median, "
          f"{ours} us at p99, {late[-1]} us at worst; timerfd {p50:.0f}, {p99:.0f}, {worst:.0f}")
    report("lateness of a 10 ms job at p99, timerfd", f"{ours} us", f"{p99:.0f} us", f"{(ours - p99) / 1000:+.2f} ms", "+2 ms",
           ours <= p99 + 2000)


def bench_memory(nginx, _odd):
    """Proportional set size at rest, after jobs of each kind have run."""
    jobs = {
        "poll": http(nginx, "OnStartup=0", "[Result]", "Output=temp: $.main.temp"),
        "true": job("exec", "OnStartup=0", "[Exec]", "Command=/bin/true"),
        "echo": job("exec", "OnStartup=0", "[Exec]", "Command=/bin/echo hello"),
        "blink": job("blink", "OnStartup=0", "[Blink]", "Message=hello", "Duration=100ms", "Rate=20"),
        "countdown": job("countdown", "OnStartup=0", "[Countdown]", "From=3", "Step=10ms"),
        "sleep": job("sleep", "OnStartup=0", "[Sleep]", "Duration=10ms"),
        "calendar": job("sleep", "OnCalendar=*-*-* 03:00:00", "[Sleep]", "Duration=10ms"),
    }
    with takt.Daemon(jobs) as daemon:
        daemon.wait(lambda runs: runs.get("succeeded", 0) >= 6)
        time.sleep(0.5)
        pss = daemon.memory("Pss") / 1e6
    report("PSS at rest, all processes", f"{pss:.1f} MB", "-", "-", "< 12 MB", pss < 12)


def bench_many(_nginx, _odd):
    """10,000 jobs at 60 s: start, reload, and the load of their runs."""
    n, seconds = 10000, 15
    jobs = {f"job-{i}": job("sleep", "Every=60s", f"Align=2026-01-01 00:00:{i % 60:02}", "[Sleep]", "Duration=0")
            for i in range(n)}
    with takt.Daemon({}) as daemon:
        empty = daemon.start_seconds
    with takt.Daemon(jobs) as daemon:
        report("start with 10,000 job files", f"{daemon.start_seconds:.2f} s", f"{empty:.2f} s empty", "-", "-", None)
        times = []
        for _ in range(3):
            begin = time.monotonic()
            daemon.control.call("io.takt.Manager.Reload")
            times.append(time.monotonic() - begin)
        report("reload of 10,000 job files", f"{statistics.median(times):.2f} s", "-", "-", "-", None)
        cpu, before, begin = daemon.cpu_seconds(), daemon.ended(), time.monotonic()
        time.sleep(seconds)
        span, cpu = time.monotonic() - begin, daemon.cpu_seconds() - cpu
        runs = daemon.ended() - before
        report("10,000 jobs every 60 s, of one core", f"{100 * cpu / span:.2f} %", f"{runs / span:.0f} runs /s", "-", "-", None)
        report("10,000 jobs, PSS", f"{daemon.memory('Pss') / 1e6:.1f} MB", "-", "-", "-", None)


def bench_ping(_nginx, _odd):
    """taktctl ping as a whole process, beside /bin/true."""
    def seconds(*command):
        begin = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, close_fds=False)
        return time.monotonic() - begin

    with takt.Daemon({}) as daemon:
        ping = (takt.BUILD + "/taktctl", "--env", daemon.directory, "ping")
        times = [(seconds(*ping), seconds("/bin/true")) for _ in range(50)]
    ours, true = (1000 * statistics.median(column) for column in zip(*times))
    report("taktctl ping, as /bin/true", f"{ours:.1f} ms", f"{true:.1f} ms", f"{ours / true:.1f}", "< 5 ms", ours < 5)


def bench_watchers(_nginx, _odd):
    """1,000 watchers of 1,000 events a second: none may miss one."""
    watchers, seconds = 1000, 10
    # Each run is two events: running and succeeded.
    jobs = {f"job-{i}": job("sleep", "Every=100ms", "[Sleep]", "Duration=0") for i in range(50)}
    with takt.Daemon(jobs) as daemon:
        cpu, begin = daemon.cpu_seconds(), time.monotonic()
        output = subprocess.run([takt.BUILD + "/tests/bench/watchers", daemon.directory + "/run/takt.sock",
                                 str(watchers), str(seconds)], check=True, capture_output=True, text=True).stdout
        cpu = (daemon.cpu_seconds() - cpu) / (time.monotonic() - begin)
    events, delivered, missing, overflows, ended = map(int, output.split())
    report(f"events to {watchers} watchers, {events} /s", f"{delivered} /s", f"{100 * cpu:.0f} % of a core",
           f"{missing + overflows + ended} lost", "0 of 1000 /s", events >= 950 and missing + overflows + ended == 0)


MILLION = 1000000


def instances(n, schedule, duration="0"):
    return job("sleep", schedule, "[Sleep]", f"Duration={duration}").replace("[Job]", f"[Job]\nInstances=1..{n}", 1)


def load(daemon, n, text):
    """Adds the template; returns the seconds of the reload, and bytes a job."""
    before = daemon.memory("Pss")
    with open(f"{daemon.directory}/jobs/x@.job", "w", encoding="ascii") as file:
        file.write(text)
    begin = time.monotonic()
    daemon.control.call("io.takt.Manager.Reload")
    seconds = time.monotonic() - begin
    return seconds, (daemon.memory("Pss") - before) / n


def script(name, *arguments):
    output = subprocess.run(["/usr/bin/python3", f"{HERE}/{name}", *map(str, arguments)], check=False,
                            capture_output=True, text=True)
    if not output.stdout:
        print(output.stderr.strip(), file=sys.stderr)
    return [float(word) for word in output.stdout.split()]


def sample(connection, end, late):
    """Collects how late the newest runs were, now and then until END: an event for each of a million would be the load."""
    while time.monotonic() < end:
        found = connection.call("io.takt.Runs.List", jobs=["x@*"], states=["succeeded"], limit=500)["runs"]
        late += [run["latenessUsec"] for run in found]
        time.sleep(0.25)
    connection.close()


def bench_million(_nginx, _odd):
    """A million instances of the empty job, a sleep of 0, each at 1 Hz: all of it is the daemon's own work. What one
    core can't do of it is missed, and recorded as such."""
    seconds = 5
    with takt.Daemon({"tick": job("sleep", "Every=10ms", "[Sleep]", "Duration=0")}) as daemon:
        loaded, size = load(daemon, MILLION, instances(MILLION, "Every=1s"))
        begin = time.monotonic()
        daemon.control.call("io.takt.Manager.Reload")
        report("load of 1,000,000 instances", f"{loaded:.2f} s", "-", "-", "-", None)
        report("reload of 1,000,000 instances", f"{time.monotonic() - begin:.2f} s", "-", "-", "-", None)
        runs = []
        connection = daemon.connect()
        connection.send("io.takt.Runs.Watch", more=True, jobs=["tick"], events=["succeeded"])
        threading.Thread(target=watch, args=(connection, runs), daemon=True).start()
        million = []
        before, cpu, begin = daemon.runs(), daemon.cpu_seconds(), time.monotonic()
        sampler = threading.Thread(target=sample, args=(daemon.connect(), begin + seconds, million), daemon=True)
        sampler.start()
        p50, p99, _ = peer("timer", 10000, seconds)
        sampler.join()
        after, cpu, span = daemon.runs(), daemon.cpu_seconds() - cpu, time.monotonic() - begin
        fires = after["succeeded"] - before["succeeded"]
        records = fires + after["missed"] - before["missed"]
        size = max(size, daemon.memory("Pss") / MILLION)
    late, million = sorted(run["latenessUsec"] for run in runs), sorted(million)
    report("1,000,000 jobs at 1 Hz, runs /s", f"{fires / span:.0f}", f"{records / span:.0f} with misses", "-", "-", None)
    report("1,000,000 jobs at 1 Hz, of one core", f"{100 * cpu / span:.0f} %", f"{1e6 * cpu / fires:.2f} us a run", "-", "-", None)
    report("1,000,000 jobs, bytes of PSS a job", f"{size:.0f}", "-", "-", "<= 400", size <= 400)
    for name, rank in (("p50", 50), ("p99", 99)) if million else ():
        report(f"1,000,000 jobs at 1 Hz, late at {name}, timerfd", f"{million[len(million) * rank // 100]} us",
               f"{p50 if rank == 50 else p99:.0f} us", "-", "-", None)
    if late:
        report("10 ms job beside them, late at p50, timerfd", f"{late[len(late) // 2]} us", f"{p50:.0f} us", "-", "-", None)
        report("10 ms job beside them, late at p99, timerfd", f"{late[len(late) * 99 // 100]} us", f"{p99:.0f} us", "-", "-", None)


def bench_jobs(_nginx, _odd):
    """10,000 empty jobs at 1 Hz, and 10,000 that begin anew as soon as they end, beside APScheduler."""
    n, seconds = 10000, 5
    peers = {"APScheduler": script("apscheduler-jobs.py", "threads", n, 1, seconds),
             "APScheduler on asyncio": script("apscheduler-jobs.py", "asyncio", n, 1, seconds)}
    for name, schedule in (("at 1 Hz", "Every=1s"), ("flat out", "After=1us")):
        with takt.Daemon({}) as daemon:
            load(daemon, n, instances(n, schedule))
            time.sleep(1)
            before, cpu, begin = daemon.ended(), daemon.cpu_seconds(), time.monotonic()
            time.sleep(seconds)
            fires, cpu, span = daemon.ended() - before, daemon.cpu_seconds() - cpu, time.monotonic() - begin
        ours = (fires / span, fires / max(cpu, 1 / takt.TICK))
        for who, theirs in peers.items():
            target = 200 if who == "APScheduler" else None
            if not theirs:
                report(f"10,000 jobs {name}, runs a CPU second, {who}", f"{ours[1]:.0f}", "missing", "-", "-", None)
                continue
            report(f"10,000 jobs {name}, runs /s, {who} at 1 Hz", f"{ours[0]:.0f}", f"{theirs[0]:.0f}",
                   ratio(ours[0], theirs[0], 1), "-", None)
            report(f"10,000 jobs {name}, runs a CPU second, {who}", f"{ours[1]:.0f}", f"{theirs[1]:.0f}",
                   ratio(ours[1], theirs[1]), str(target or "-"), ours[1] >= target * theirs[1] if target else None)


def bench_tasks(_nginx, _odd):
    """A million tasks of a second, started together; asyncio with a tenth of them, as a million take it 40 s."""
    start = time.time() + 20
    at = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(start))
    limits = (f"MaxRuns={MILLION}", f"MaxQueued={MILLION}")
    with takt.Daemon({}, limits) as daemon:
        load(daemon, MILLION, instances(MILLION, f"At={at}", "1s"))
        if time.time() > start:
            raise SystemExit("loading took longer than was left until the start")
        time.sleep(max(int(start) - 0.5 - time.time(), 0))
        cpu = daemon.cpu_seconds()
        time.sleep(max(int(start) + 1.5 - time.time(), 0))
        while daemon.ended() < MILLION:
            time.sleep(0.05)
        seconds, cpu = time.time() - int(start), daemon.cpu_seconds() - cpu
        with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as file:
            peak = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))
    theirs = script("asyncio-sleep.py", MILLION // 10)
    report("1,000,000 tasks of 1 s, asyncio with 100,000", f"{seconds:.2f} s", f"{theirs[0]:.2f} s",
           f"{(theirs[0] - 1) * 10 / max(seconds - 1, 1e-3):.1f}", "<= 2 s", seconds <= 2)
    report("1,000,000 tasks, CPU seconds, of 100,000 in asyncio", f"{cpu:.2f} s", f"{theirs[2]:.2f} s",
           f"{theirs[2] * 10 / cpu:.1f}", "-", None)
    report("1,000,000 tasks, bytes a task, asyncio", f"{peak / MILLION:.0f}", f"{theirs[1] / (MILLION // 10):.0f}",
           f"{peak / MILLION / (theirs[1] / (MILLION // 10)):.2f}", "-", None)


def switches(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches"))


def bench_rest(_nginx, _odd):
    """100,000 jobs every 60 s: how much of a core, and how often the daemon wakes up."""
    n, seconds = 100000, 10
    for accuracy in ("1ms", "1s"):
        with takt.Daemon({}) as daemon:
            load(daemon, n, instances(n, f"Every=60s\nAccuracySec={accuracy}\nRandomizedDelaySec=60s\nFixedRandomDelay=yes"))
            time.sleep(1)
            cpu, before, begin = daemon.cpu_seconds(), switches(daemon.process.pid), time.monotonic()
            time.sleep(seconds)
            span = time.monotonic() - begin
            cpu, wakes = daemon.cpu_seconds() - cpu, switches(daemon.process.pid) - before
        report(f"100,000 jobs every 60 s, AccuracySec={accuracy}, of one core", f"{100 * cpu / span:.2f} %",
               f"{wakes / span:.1f} wake-ups /s", "-", "-", None)


BENCHES = {
    "slow": bench_slow,
    "polls": bench_polls,
    "commands": bench_commands,
    "large": bench_large,
    "lateness": bench_lateness,
    "memory": bench_memory,
    "many": bench_many,
    "ping": bench_ping,
    "watchers": bench_watchers,
    "million": bench_million,
    "jobs": bench_jobs,
    "tasks": bench_tasks,
    "rest": bench_rest,
}


def main():
    nginx, odd, *names = sys.argv[1:]
    for name in names or BENCHES:
        BENCHES[name](nginx, odd)
    rows = [("what, and its peer", "takt", "peer", "ratio", "target", "met"), *results]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    print()
    for row in rows:
        print("  ".join([row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:]))]))


main()
