"""Write src/charm_rm/data/benchmark_hashes.json from the official files of benchmarks: python docs/make_benchmark_hashes.py FOLDER.

FOLDER is a parent of the benchmarks' own repositories. A subset is written where it has its official number of items. The file
holds counts and short hashes only. Subsets that FOLDER lacks stay as they are.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

from charm_rm.benchmarks import find_benchmark
from charm_rm.benchmarks.official import Official, joined_hashes, subset_hash

NAMES = ("judgebench", "llmbar", "rm-bench", "rmb", "xstest")
ONE_A_SUBSET = ("rmb",)  # 18 thousand items are too many for a hash of each
TARGET = Path(__file__).parents[1] / "src" / "charm_rm" / "data" / "benchmark_hashes.json"


def main(folder: Path) -> None:
    known = json.loads(TARGET.read_text("utf-8"))
    for name in NAMES:
        found = find_benchmark(name)
        official: Official = import_module(found.load.__module__).OFFICIAL
        benchmark = found.load(folder)
        whole = {s: n for s, n in benchmark.subsets.items() if official.counts.get(s) == n}
        hashes = joined_hashes(benchmark.items)
        if name in ONE_A_SUBSET:
            hashes = {s: subset_hash(i for i in benchmark.items if i.subset == s) for s in hashes}
        hashes = {s: joined for s, joined in hashes.items() if s in whole}
        known[name] = dict(sorted({**known.get(name, {}), **hashes}.items()))
        print(f"{name}: {sum(whole.values())} items of {len(whole)} subsets")
    TARGET.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
