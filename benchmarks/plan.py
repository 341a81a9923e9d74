"""How near the planner comes to its bound, on made-up problems; prints a Markdown table.

    python benchmarks/plan.py                             five seeds a size, some six minutes on two cores
    python benchmarks/plan.py --seeds 100 101 --sizes "40 requests"
    python benchmarks/plan.py --check 1000                many small problems of every shape, against a checker

Each size is planned in a process of its own, so that its memory can be told. Ends with 1 where a plan breaks a rule,
costs more than the greedy one, or lies further from its bound than is promised.
"""

from __future__ import annotations

import argparse
import math
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "scheduling" / "planner"))

from checker import cost, violations
from instances import instance
from planning import World, made_up

from shipcast.scheduling.planner.comparison import compared
from shipcast.scheduling.planner.plan import plan

SIZES = {
    "40 requests": (World(40), 5.0, 0.005),
    "200 requests": (World(200), 15.0, 0.015),
    "1,000 requests": (World(1000), 20.0, 0.035),
    "1,000 requests, tight": (World(1000, room=1.1), 20.0, 0.05),
    "1,000 requests, too many": (World(1000, room=0.9), 20.0, math.inf),
}


def measured(size: str, seeds: list[int], iterations: int | None) -> bool:
    """Plan one size, print its row, and say whether it kept its promises."""
    world, seconds, promised = SIZES[size]
    gaps, took, spent, moves, better, broken = [], [], [], [], [], 0
    for seed in seeds:
        problem = made_up(world, seed)
        clock, processor = time.monotonic(), time.process_time()
        result = plan(problem, time_limit=None if iterations else seconds, iterations=iterations)
        took.append(time.monotonic() - clock)
        spent.append(time.process_time() - processor)
        gaps.append(result.gap if result.gap is not None else float("inf"))
        moves.append(result.iterations)
        greedy = compared(problem)["greedy"].objective
        better.append(greedy / result.objective - 1)
        broken += len(violations(problem, result.starts, result.reserved)) + (greedy < result.objective)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    gap, shown = statistics.median(gaps), " ".join(f"{gap:.2%}" for gap in gaps)
    columns = [
        size,
        f"{gap:.2%}",
        shown,
        f"{promised:.1%}" if promised < 1 else "",
        f"{statistics.median(took):.1f}",
        f"{statistics.median(spent):.1f}",
        f"{statistics.median(moves):,.0f}",
        f"{statistics.median(better):.0%}",
        f"{memory:.0f}",
    ]
    print("| " + " | ".join(columns) + " |", flush=True)
    return gap <= promised and not broken and memory < 400


def checked(number: int) -> bool:
    """Plan small problems of every shape and count what is wrong with the plans."""
    wrong = 0
    for seed in range(number):
        problem = instance(seed)
        result = plan(problem, iterations=60, seed=seed)
        price = cost(problem, result.starts)
        faults = violations(problem, result.starts, result.reserved)
        if faults or abs(price - result.objective) > 1e-9 * max(price, 1) or result.bound > result.objective:
            wrong += 1
            print(f"seed {seed}: {faults or (price, result.objective, result.bound)}")
    print(f"{number} problems, {wrong} wrong")
    return not wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--iterations", type=int, help="moves instead of seconds")
    parser.add_argument("--check", type=int, metavar="N", help="plan N small problems and check them")
    parser.add_argument("--one", choices=list(SIZES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.check:
        return 0 if checked(options.check) else 1
    if options.one:
        return 0 if measured(options.one, options.seeds, options.iterations) else 1
    print("| size | median gap | gaps | promised | seconds | cpu seconds | moves | greedy dearer by | peak MiB |")
    print("| --- " * 9 + "|", flush=True)
    seeds = [str(seed) for seed in options.seeds]
    more = ["--iterations", str(options.iterations)] if options.iterations else []
    codes = [
        subprocess.run([sys.executable, __file__, "--one", size, "--seeds", *seeds, *more], check=False).returncode
        for size in options.sizes
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
