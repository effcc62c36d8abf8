"""Burns time in functions that are reached in as many ways, and tells how much in each, by the thread's own clock.

Turns have exponentially distributed lengths, as in programs/c/turns.h: a regular rhythm would meet that of the sampler.
"""
import json
import random
import select
import sys
import threading
import time

SECONDS = float(sys.argv[sys.argv.index("--seconds") + 1]) if "--seconds" in sys.argv else 3600.0
TURN_NS = 5e6


def clock_ns():
    return int(time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID) * 1e9)


def burn_a(until):
    total = 0
    while clock_ns() < until:
        for number in range(200):
            total += number * number
    return total


def burn_b(until):
    total = 0
    while clock_ns() < until:
        for number in range(200):
            total += number ^ total
    return total


class Shop:
    def burn_c(self, until):
        total = 0
        while clock_ns() < until:
            for number in range(200):
                total ^= number * 3
        return total


def burn_d(until):
    total = 0
    while clock_ns() < until:
        for number in range(200):
            total -= number
    return total


def burn_e(until):
    total = 0
    while clock_ns() < until:
        for number in range(200):
            total += number | 1
    return total


def deep(depth, until):
    return burn_a(until) if depth == 0 else deep(depth - 1, until)


def through_recursion(until):
    return deep(20, until)


def through_callback(until):
    return sorted([1], key=lambda _: burn_b(until))


def steps(until):
    yield Shop().burn_c(until)


def through_generator(until):
    return sum(steps(until))


def through_exception(until):
    try:
        raise ValueError
    except ValueError:
        return burn_d(until)


async def awaited(until):
    return burn_e(until)


def through_coroutine(until):
    coroutine = awaited(until)
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value


WAYS = [
    ("burn_a", 0.45, through_recursion),
    ("burn_b", 0.25, through_callback),
    ("burn_c", 0.15, through_generator),
    ("burn_d", 0.10, through_exception),
    ("burn_e", 0.05, through_coroutine),
]
spent = {name: 0 for name, _, _ in WAYS}
turns = 0


def turn():
    global turns
    at = random.random()
    for name, share, through in WAYS:
        at -= share
        if at < 0:
            break
    before = clock_ns()
    through(before + int(random.expovariate(1 / TURN_NS)))
    spent[name] += clock_ns() - before
    turns += 1


def running():
    return not select.select([sys.stdin], [], [], 0)[0]


def work():
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and running():
        turn()


def main():
    print("READY", flush=True)
    sys.stdin.readline()
    # A thread of its own: it has no <module> beneath.
    thread = threading.Thread(target=work, name="worker")
    thread.start()
    thread.join()
    truth = {"turns": turns, "process_cpu_ns": int(time.process_time() * 1e9), "cpu_ns": spent}
    print(json.dumps(truth), flush=True)
    sys.stdin.read()


main()
