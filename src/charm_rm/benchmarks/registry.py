"""Which benchmarks there are: those of this package, and those that other packages add.

A benchmark registers itself where it is defined, by :func:`benchmark` above its loader. This package's modules are found by being
in it; other packages name theirs as an entry point of the group ``charm_rm.benchmarks``. Nothing is searched before
somebody asks.
"""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from ..errors import CharmWarning, ConfigError, NothingThere, UnreadableFile, did_you_mean, listing
from .definition import Benchmark

_GROUP = "charm_rm.benchmarks"
_Loader = Callable[[Path], Benchmark]


@dataclass(frozen=True)
class Registered:
    """A benchmark by name, with what a reader of its figures should know.

    Args:
        name: as in ``--benchmark NAME``.
        about: what it measures, in a line.
        citation: the paper, as it is cited.
        licence: of the data.
        load: reads a folder that holds its original files, and gives items and metrics.
        items: how many items the whole has.
        source: where its files are to be had.
        hub: ids of the hub's datasets that hold them.
    """

    name: str
    about: str
    citation: str
    licence: str
    load: _Loader
    items: int | None = None
    source: str = ""
    hub: tuple[str, ...] = ()

    @property
    def home(self) -> str:
        """Where it is defined."""
        return f"{self.load.__module__}.{self.load.__qualname__}"


_REGISTERED: dict[str, Registered] = {}


def benchmark(
    *,
    name: str,
    about: str,
    citation: str,
    licence: str,
    items: int | None = None,
    source: str = "",
    hub: tuple[str, ...] = (),
) -> Callable[[_Loader], _Loader]:
    """Register the decorated loader as the benchmark ``name``; the loader itself stays as it is.

    The arguments are those of :class:`Registered`.

    Raises:
        ConfigError: another loader has this name already.
    """

    def register(load: _Loader) -> _Loader:
        new = Registered(name, about, citation, licence, load, items, source, hub)
        old = _REGISTERED.get(name)
        if old is not None and old.home != new.home:
            raise ConfigError(
                f"two benchmarks are called {name!r}: {old.home} and {new.home}", fix="rename one of them"
            )
        _REGISTERED[name] = new
        return load

    return register


def list_benchmarks() -> list[Registered]:
    """All benchmarks there are, by name. One of another package that cannot be imported is left out, with a warning."""
    package = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        importlib.import_module(f"{package}.{module.name}")
    for entry in entry_points(group=_GROUP):
        _load_entry(entry)
    return sorted(_REGISTERED.values(), key=lambda registered: registered.name)


def find_benchmark(name: str) -> Registered:
    """The benchmark called ``name``.

    Raises:
        ConfigError: there is none.
    """
    known = {registered.name: registered for registered in list_benchmarks()}
    if name not in known:
        raise ConfigError(
            f"unknown benchmark {name!r}.{did_you_mean(name, known)}",
            fix=f"known are {listing(known, limit=20)}",
        )
    return known[name]


def load_benchmark(name: str, folder: str | Path) -> Benchmark:
    """Load benchmark ``name`` from its original files anywhere below ``folder``, or from one such file.

    Raises:
        ConfigError: no such benchmark.
        UnreadableFile: no such folder or file, or nothing of the benchmark below it.
        SchemaError: a file is not as the benchmark's authors wrote it; the message names file and item.
    """
    found = find_benchmark(name)
    if not Path(folder).exists():
        raise UnreadableFile(
            "no such folder or file", where=str(folder), fix="give --data a folder of benchmark files"
        )
    return found.load(Path(folder))


def load_found(folder: str | Path) -> tuple[list[Benchmark], list[str]]:
    """Every benchmark that has files below ``folder``, by name, and the names of those that have none.

    Raises:
        UnreadableFile: no such folder, or a file of a benchmark is damaged.
        NothingThere: nothing of any benchmark is below it.
        SchemaError: a file is not as the benchmark's authors wrote it.
    """
    found: list[Benchmark] = []
    missing: list[str] = []
    for one in list_benchmarks():
        try:
            found.append(load_benchmark(one.name, folder))
        except NothingThere:
            missing.append(one.name)
    if not found:
        raise NothingThere(
            f"no files of any benchmark below this folder; looked for {listing(missing, limit=20)}",
            where=str(folder),
            fix="give --data a folder that holds the benchmarks' own files or repositories",
        )
    return found, missing


def _load_entry(entry: EntryPoint) -> None:
    """Import what another package offers; its decorators do the rest."""
    try:
        entry.load()
    except Exception as error:  # another package's code: anything may come
        package = entry.dist.name if entry.dist else entry.value
        warnings.warn(
            f"the benchmark {entry.name!r} of {package} is left out: {type(error).__name__}: {error}",
            CharmWarning,
            stacklevel=4,
        )
