"""The files of a benchmark: a folder or file on disk, or datasets of the hub, at a revision that is named.

From the hub the files of one revision are brought into a folder of their own beside the store, and left there: a second run reads
them without asking the hub, where the revision is given in full. What is read is parsed as text and tables alone: no code of a
dataset is ever run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..benchmarks import find_benchmark
from ..errors import CharmError, ConfigError, UnreadableFile, first_line
from ..memo import default_memo
from ..paths import expanded
from .extras import require

HUB = "hub"
_TABLES = ("*.parquet", "*.jsonl", "*.jsonl.gz", "*.json", "*.csv")
_ID = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(@(?P<revision>[\w.-]+))?")
_FULL = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class BenchmarkFiles:
    """Where a benchmark's files lie; ``revisions`` names the hub's datasets that they came from, as ``owner/name@revision``."""

    folder: Path
    revisions: tuple[str, ...] = ()


def benchmark_files(name: str, data: str | Path) -> BenchmarkFiles:
    """Find the files of the benchmark ``name``.

    Args:
        name: of a registered benchmark.
        data: a folder or file; ``owner/name`` or ``owner/name@revision`` of the hub; or ``hub`` for the datasets that the
            benchmark itself names. Without a revision the newest is taken, and said.

    Raises:
        ConfigError: the benchmark names no dataset of the hub.
        UnreadableFile: neither a folder nor what the hub gave.
        MissingExtra: huggingface_hub is not installed.
    """
    path = expanded(data)
    if path.exists():
        return BenchmarkFiles(path)
    wanted = _wanted(name, str(data))
    found = [_revision(dataset, revision) for dataset, revision in wanted]
    folder = default_memo().parent / "benchmarks" / "+".join(_slug(d, r) for d, r in found)
    for dataset, revision in found:
        _download(dataset, revision, folder / dataset.replace("/", "--"))
    return BenchmarkFiles(folder, tuple(f"{dataset}@{revision}" for dataset, revision in found))


def _wanted(name: str, data: str) -> Sequence[tuple[str, str | None]]:
    """Datasets of the hub, with the revision that was asked for."""
    if data == HUB:
        ids = find_benchmark(name).hub
        if not ids:
            raise ConfigError(
                f"the benchmark {name!r} names no dataset of the hub",
                fix=f"fetch its files, and give --data (data= in Python) their folder: {find_benchmark(name).source}",
            )
        return [(one, None) for one in ids]
    match = _ID.fullmatch(data)
    if match is None or data.startswith("."):
        raise UnreadableFile(
            "no such folder or file, and no id of the hub",
            where=data,
            fix="give --data (data= in Python) a folder of benchmark files, owner/name, owner/name@revision, or hub",
        )
    return [(match["name"], match["revision"])]


def _revision(dataset: str, revision: str | None) -> tuple[str, str]:
    """The full revision, which the hub is asked for unless it is given in full."""
    if revision and _FULL.fullmatch(revision):
        return dataset, revision
    hub = require("huggingface_hub")
    try:
        return dataset, str(hub.HfApi().dataset_info(dataset, revision=revision).sha)
    except Exception as error:  # network, login, no such dataset or revision
        raise _refused(dataset, error) from error


def _download(dataset: str, revision: str, target: Path) -> None:
    """Bring the tables of a revision; what is there whole already stays."""
    done = target.with_name(f"{target.name}.whole")
    if done.exists():
        return
    hub = require("huggingface_hub")
    try:
        hub.snapshot_download(
            dataset, repo_type="dataset", revision=revision, allow_patterns=list(_TABLES), local_dir=target
        )
    except CharmError:
        raise
    except Exception as error:  # as above, or a full disk
        raise _refused(dataset, error) from error
    done.touch()


def _refused(dataset: str, error: Exception) -> UnreadableFile:
    return UnreadableFile(
        f"neither a folder nor a dataset that the hub gave: {first_line(error)}",
        where=dataset,
        fix="check the name, the revision and the network; a gated dataset needs `hf auth login`",
    )


def _slug(dataset: str, revision: str) -> str:
    return f"{dataset.partition('/')[2]}-{revision[:8]}"
