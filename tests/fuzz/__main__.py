"""``python -m fuzz --cases 2000 --seed 1``: run cases and group their faults; ``--only N``: one case, with its traceback."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from . import library
from .case import Case, Verdict, judge, prepare
from .fleet import numbers, run_cases


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--only", type=int)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--slow", action="store_true", help="tell of the slowest and the largest")
    given = parser.parse_args()
    if given.only is not None:
        return _one(Case(given.seed, given.only, library.has_models()))
    seen: list[Verdict] = []

    def tell(verdict: Verdict) -> None:
        seen.append(verdict)
        if verdict.fault:
            print(f"{verdict.number}: {kind(verdict)}", file=sys.stderr, flush=True)

    tally = run_cases(given.seed, numbers(given.cases, given.start), processes=given.processes, tell=tell)
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in tally.faults:
        groups[kind(verdict)].append(verdict)
    for name, verdicts in sorted(groups.items(), key=lambda g: -len(g[1])):
        first = verdicts[0]
        print(
            f"\n{len(verdicts):4d}  {name}\n      {[v.number for v in verdicts[:8]]}\n      {first.line[:150]}  | {first.changes}"
        )
    if given.slow:
        for verdict in (
            sorted(seen, key=lambda v: -v.seconds)[:10] + sorted(seen, key=lambda v: -v.megabytes)[:5]
        ):
            print(
                f"{verdict.number} {verdict.seconds:.1f} s {verdict.megabytes:.0f} MB {verdict.line[:100]} {verdict.changes}"
            )
    print(f"\nseed {given.seed}: {tally}")
    return bool(tally.faults)


def kind(verdict: Verdict) -> str:
    """Where in charm the fault is, and what it is."""
    if verdict.fault == "the fuzzer failed":
        return f"{verdict.fault}: {verdict.trace[-400:]}"
    frames = [
        line.strip()
        for line in verdict.trace.splitlines()
        if "charm_rm/" in line and line.strip().startswith("File")
    ]
    place = frames[-1].split("charm_rm/")[-1].replace('"', "") if frames else ""
    return f"{place}  {(verdict.fault or '')[:110]}"


def _one(case: Case) -> int:
    made, folder = (Path(tempfile.mkdtemp(prefix="charm-fuzz-")) for _ in range(2))
    os.environ |= {"CHARM_CACHE": str(made / "cache"), "HF_HUB_OFFLINE": "1"}
    library.make(made)
    sys.path.insert(0, str(made))
    os.chdir(folder)
    arguments, changes = prepare(case, made, folder)
    print(f"in {folder}\ncharm {' '.join(arguments)}\n{changes}")
    verdict = judge(case, arguments, changes, folder)
    print(f"exit code {verdict.exit_code}\n{verdict.output}\n{verdict.trace[-3000:]}\nfault: {verdict.fault}")
    return bool(verdict.fault)


if __name__ == "__main__":
    raise SystemExit(main())
