"""Reward-model benchmarks from their original files: one small file each, from loading to the official figures.

A benchmark registers itself by the decorator :func:`benchmark` above its loader; there is no list to add it to.
"""

from __future__ import annotations

from .definition import Benchmark
from .items import Item, good_and_bad
from .llmbar import load_llmbar
from .metrics import Metric, Part, mean_of_subsets
from .own import load_own
from .pairs import load_pairs, pairs_benchmark
from .panel import load_panel
from .registry import Registered, benchmark, find_benchmark, list_benchmarks, load_benchmark, load_found
from .rm_bench import load_rm_bench
from .rules import Rule, rule
from .scored import ScoredItem, scored_by_judge, scored_by_reward
from .stacks import ScoredStack, stacks_of

__all__ = [
    "Benchmark",
    "Item",
    "Metric",
    "Part",
    "Registered",
    "Rule",
    "ScoredItem",
    "ScoredStack",
    "benchmark",
    "find_benchmark",
    "good_and_bad",
    "list_benchmarks",
    "load_benchmark",
    "load_found",
    "load_llmbar",
    "load_own",
    "load_pairs",
    "load_panel",
    "load_rm_bench",
    "mean_of_subsets",
    "pairs_benchmark",
    "rule",
    "scored_by_judge",
    "scored_by_reward",
    "stacks_of",
]
