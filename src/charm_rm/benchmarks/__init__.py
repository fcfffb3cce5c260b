"""Reward-model benchmarks from their original files: load gives items and the official metrics.

A new benchmark is one small file with a ``load_*`` function and a line in :data:`LOADERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import ConfigError, UnreadableFile, did_you_mean, listing
from .items import Benchmark, Item, Metric
from .llmbar import load_llmbar
from .rm_bench import load_rm_bench

__all__ = ["LOADERS", "Benchmark", "Item", "Metric", "load_benchmark", "load_llmbar", "load_rm_bench"]

LOADERS: dict[str, Callable[[str | Path], Benchmark]] = {"llmbar": load_llmbar, "rm-bench": load_rm_bench}


def load_benchmark(name: str, folder: str | Path) -> Benchmark:
    """Load benchmark ``name`` from its original files anywhere below ``folder``.

    Raises:
        ConfigError: no such benchmark.
        UnreadableFile: no such folder, or nothing of the benchmark below it.
    """
    if name not in LOADERS:
        raise ConfigError(
            f"unknown benchmark {name!r}.{did_you_mean(name, LOADERS)}", mend=f"known are {listing(LOADERS)}"
        )
    if not Path(folder).is_dir():
        raise UnreadableFile(
            "no such folder", where=str(folder), mend="give --data a folder of benchmark files"
        )
    return LOADERS[name](folder)
