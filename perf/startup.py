"""What a command costs before and beside its work, in processor time, against a floor of bare imports.

    python perf/startup.py [--runs 15]

The floor is `python -c "import polars, numpy, rich.console, rich.table"`: a command that reads, computes and prints tables
cannot be below it. Every command is run once unmeasured, so that byte code lies ready as after an install; then the
commands take turns, and the least of all runs counts, which other work on the machine disturbs least. User and system
time of the process are added up, with one thread for linear algebra.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time

CHARM = "import sys; from charm_rm.cli import main; sys.exit(main(args=sys.argv[1:]))"
COMMANDS = {
    "python": ["-c", "pass"],
    "floor: polars, numpy, rich": ["-c", "import polars, numpy, rich.console, rich.table"],
    "charm --help": ["-c", CHARM, "--help"],
    "charm audit --help": ["-c", CHARM, "audit", "--help"],
    "charm audit --example": ["-c", CHARM, "audit", "--example"],
}
# It once took 2.4 floors.
LIMIT = 1.9


def main() -> None:
    """Print one Markdown row per command; fail where the example costs more than ``LIMIT`` floors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as cache:
        environment = _environment(cache)
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
        for turn in range(runs + 1):
            for name, arguments in COMMANDS.items():
                cost = _cost(arguments, environment)
                taken[name] += [cost] if turn else []
    least = {name: tuple(min(one) for one in zip(*costs, strict=True)) for name, costs in taken.items()}
    floor = least["floor: polars, numpy, rich"][0]
    print("| | processor time | wall time | of the floor |\n|---|---:|---:|---:|")
    for name, (cpu, wall) in least.items():
        print(f"| {name} | {cpu:.3f} s | {wall:.3f} s | {cpu / floor:.2f} |")
    if (ratio := least["charm audit --example"][0] / floor) > LIMIT:
        sys.exit(f"target missed: the example costs {ratio:.2f} floors, at most {LIMIT} are wanted")


def _environment(cache: str) -> dict[str, str]:
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return kept | single | {"PYTHONPYCACHEPREFIX": cache}


def _cost(arguments: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Processor and wall seconds of one process."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, arguments)
    return used.ru_utime + used.ru_stime, wall


if __name__ == "__main__":
    main()
