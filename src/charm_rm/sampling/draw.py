"""Draw prompts from sources of any size: read, sift, thin out, choose."""

from __future__ import annotations

import contextlib
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from ..conversations import prompt_text
from ..errors import CharmWarning, ConfigError, MissingExtra, SchemaError, counted, verb
from ..provenance import source_name, versions
from ..settings import SampleSettings, parse_columns
from ..tables import Prompts
from . import account
from .asked import Asked, Layout, asked_in, layout_of
from .choose import Embed, by_cluster, by_stratum, uniform
from .contamination import Benchmarks
from .language import UNKNOWN, check_languages, language_finder
from .near import leave_out_near_duplicates
from .workspace import CONTAMINATED, KEPT, Fate, Prompt, Workspace, prompt_of

OTHER_LANGUAGE, NO_LANGUAGE = "another language", "language cannot be told"
NO_VALUE = "(none)"  # the stratum of rows without a value


@dataclass(frozen=True)
class Part:
    """A batch of rows of one file of a source: ``name`` is what the file is called in outputs, ``first`` the number of the first row."""

    name: str
    first: int
    frame: pl.DataFrame


@dataclass(frozen=True)
class Drawn:
    """A sample of prompts, and the account of it.

    Args:
        prompts: the sample.
        ledger: what became of every row read; ``rows`` add up to the rows read.
        contaminated: prompts left out for a benchmark's, with what they matched.
        removed: all prompts left out, where they were asked for.
        lengths, strata, languages: the sample beside its source.
        languages_of: languages are told of so many prompts of each at most; None: of all.
    """

    prompts: Prompts
    ledger: pl.DataFrame
    contaminated: pl.DataFrame
    removed: pl.DataFrame | None
    lengths: pl.DataFrame
    strata: pl.DataFrame
    languages: pl.DataFrame
    languages_of: int | None


def draw_prompts(
    parts: Iterable[Part],
    settings: SampleSettings,
    *,
    seed: int = 0,
    benchmarks: Iterable[Part] = (),
    embed: Embed | None = None,
    list_removed: bool = False,
    provenance: Mapping[str, Any] | None = None,
    progress: Callable[[str, int], None] = lambda _what, _n: None,
) -> Drawn:
    """Draw prompts: the same seed gives the same sample, however the rows are split into files and batches.

    Args:
        parts: the rows, in order.
        settings: what is left out and how many are drawn.
        benchmarks: the prompts that none of the sample may share words with.
        embed: texts -> sentence embeddings, for ``settings.clusters``.
        list_removed: list every prompt that is left out.
        provenance: what to keep with the sample beside settings, seed and ledger.
        progress: called with what is done (``read``, ``compared``) and how many more.

    Raises:
        SchemaError: no column is a prompt, no row has one, none is left, or one id stands for two prompts.
        UnreadableFile: a file is damaged; it is named.
        MissingExtra: a library of [sample] is not installed.
    """
    if settings.languages:
        check_languages(settings.languages)
    clear = _benchmarks(benchmarks, settings) if settings.benchmarks else None
    with Workspace.open(seed=seed) as work:
        unreadable = _read(work, parts, settings, clear, progress)
        _refuse_nothing_left(work, unreadable, "left: every prompt was filtered out")
        engine = None
        if settings.near_duplicates < 1:
            engine = leave_out_near_duplicates(
                work, settings.near_duplicates, progress=lambda n: progress("compared", n)
            )
        rows, clusters = _choose(work, settings, embed, seed)
        _warn_of_fewer(settings.n, len(rows))
        ledger = account.ledger(work, unreadable, len(rows))
        told = {
            "verb": "draw_prompts",
            "settings": _told(settings),
            "seed": seed,
            "ledger": dict(ledger.iter_rows()),
            "near_duplicates_by": engine,
            "versions": versions(("charm-rm", "polars", "datasketch", "rensa", "py3langid")),
            **(provenance or {}),
        }
        languages, languages_of = account.languages(work, rows, _finder_if_installed())
        return Drawn(
            prompts=Prompts(account.prompts_frame(work, rows, clusters), provenance=told),
            ledger=ledger,
            contaminated=account.removed_frame(work, states=[CONTAMINATED]),
            removed=account.removed_frame(work) if list_removed else None,
            lengths=account.lengths(work, rows),
            strata=account.strata(work, rows),
            languages=languages,
            languages_of=languages_of,
        )


def _told(settings: SampleSettings) -> dict[str, Any]:
    """The settings as they may be shared: files and models by their last names."""
    values = {
        name: value for name, value in settings.values().items() if name != "sources"
    }  # of a run; told apart
    embedder = settings.embedder and source_name(settings.embedder)
    return values | {"benchmarks": [source_name(one) for one in settings.benchmarks], "embedder": embedder}


def _finder_if_installed() -> Callable[[str], str] | None:
    with contextlib.suppress(MissingExtra):
        return language_finder()
    return None


# --- reading ------------------------------------------------------------------------------------


def _read(
    work: Workspace,
    parts: Iterable[Part],
    settings: SampleSettings,
    clear: Benchmarks | None,
    progress: Callable[[str, int], None],
) -> Counter[str]:
    """Put every distinct prompt into the workspace with its fate; return how many rows had none, and why."""
    fate_of = _sieve(settings, clear)
    unreadable: Counter[str] = Counter()
    stratify = settings.stratify
    keep = dict.fromkeys([*settings.keep, *([stratify] if stratify else [])])
    for part, asked in _rows(parts, parse_columns(settings.columns), tuple(keep)):
        progress("read", 1)
        if asked.prompt is None:
            unreadable[f"no prompt: {asked.problem}"] += 1
            continue
        prompt = prompt_of(
            asked.prompt,
            prompt_id=asked.prompt_id if settings.prompt_ids == "source" else None,
            source=part.name,
            place=asked.place,
            kept=dict(asked.kept),
            stratum=_stratum(asked.kept, stratify),
        )
        if not work.repeats(prompt):
            work.add(prompt, fate_of(prompt))
    _refuse_nothing_left(work, unreadable, "a prompt", any_state=True)
    return unreadable


def _rows(
    parts: Iterable[Part], columns: Mapping[str, str], keep: Sequence[str]
) -> Iterator[tuple[Part, Asked]]:
    """The rows of all parts; where the prompt is, is found once for each file."""
    layout: Layout | None = None
    name = None
    for part in parts:
        if layout is None or part.name != name or not set(layout.columns) <= set(part.frame.columns):
            layout = layout_of(part.frame, columns, keep=keep, where=part.name)
            name = part.name
        for asked in asked_in(part.frame, layout, first=part.first):
            yield part, asked


def _stratum(kept: Mapping[str, Any], column: str | None) -> str | None:
    if column is None:
        return None
    value = kept[column]
    return NO_VALUE if value is None or value == "" else str(value)


def _sieve(settings: SampleSettings, clear: Benchmarks | None) -> Callable[[Prompt], Fate]:
    """What becomes of a prompt, by its length, its language and the benchmarks, in this order."""
    find = language_finder() if settings.languages else None

    def fate_of(prompt: Prompt) -> Fate:
        if why := _outside(prompt.text, settings):
            return Fate(why)
        language = find(prompt.text) if find else None
        if language is not None and language not in settings.languages:
            return Fate(NO_LANGUAGE if language == UNKNOWN else OTHER_LANGUAGE, language=language)
        match = clear.most_shared(prompt.text) if clear else None
        if match is not None and match.overlap >= settings.overlap:
            return Fate(CONTAMINATED, match.where, match.overlap, language)
        return Fate(KEPT, language=language)

    return fate_of


def _outside(text: str, settings: SampleSettings) -> str | None:
    """Why a text is too short or too long."""
    sizes = {"chars": len(text), "words": len(text.split())}
    for unit, size in sizes.items():
        least, most = getattr(settings, f"min_{unit}"), getattr(settings, f"max_{unit}")
        name = "characters" if unit == "chars" else "words"
        if least is not None and size < least:
            return f"fewer than {least} {name}"
        if most is not None and size > most:
            return f"more than {most} {name}"
    return None


def _benchmarks(parts: Iterable[Part], settings: SampleSettings) -> Benchmarks:
    """The prompts of the benchmark files; those without one are refused, as nothing would be cleared of them. Rows without one are told."""
    found: list[tuple[str, str]] = []
    unreadable: Counter[str] = Counter()
    for part, asked in _rows(parts, {}, ()):
        if asked.prompt is not None:
            found.append((f"{part.name}, row {asked.place}", prompt_text(asked.prompt)))
        else:
            unreadable[str(asked.problem)] += 1
    if not found:
        raise SchemaError(
            "the benchmark files hold no prompt", fix="check --benchmark (benchmarks= in Python)"
        )
    if lost := sum(unreadable.values()):
        warnings.warn(
            f"{counted(lost, 'row')} of the benchmark files {verb(lost, 'has', 'have')} no prompt that can be read, so nothing is left out "
            f"for {verb(lost, 'it', 'them')} ({'; '.join(_told_reasons(unreadable))})",
            CharmWarning,
            stacklevel=4,
        )
    return Benchmarks(found, n=settings.ngram)


# --- choosing -----------------------------------------------------------------------------------


def _choose(
    work: Workspace, settings: SampleSettings, embed: Embed | None, seed: int
) -> tuple[list[int], dict[int, int]]:
    """The rows that are drawn, in the order of the source, and their clusters where there are some."""
    if settings.clusters is not None:
        if embed is None:
            raise ConfigError(
                "clusters need an embedding model", fix="give one: --embedder (embed= in Python)"
            )
        clusters = by_cluster(work, settings.n, settings.clusters, embed, seed=seed)
        return sorted(clusters), clusters
    if settings.stratify is not None:
        return sorted(by_stratum(work, settings.n, equal=settings.allocation == "equal")), {}
    return sorted(uniform(work, settings.n)), {}


def _warn_of_fewer(n: int | None, drawn: int) -> None:
    if n is not None and drawn < n:
        warnings.warn(
            f"{counted(n, 'prompt')} asked for, and only {drawn:,} are left: all of them are in the sample",
            CharmWarning,
            stacklevel=4,
        )


def _refuse_nothing_left(
    work: Workspace, unreadable: Mapping[str, int], what: str, *, any_state: bool = False
) -> None:
    where = "" if any_state else f" WHERE state = '{KEPT}'"
    (count,) = work.sql.execute(f"SELECT COUNT(*) FROM prompts{where}").fetchone()
    if count:
        return
    if any_state and not unreadable:
        raise SchemaError("the source has no rows", fix="check the path")
    if any_state:
        raise SchemaError(
            f"no row has {what} ({'; '.join(_told_reasons(unreadable)[:5])})",
            fix="check the column of the prompts: --column prompt=... (prompts are text: what an image shows cannot be read)",
        )
    states = dict(work.sql.execute("SELECT state, COUNT(*) FROM prompts GROUP BY state"))
    raise SchemaError(
        f"no prompt is {what} ({'; '.join(_told_reasons(states)[:5])})", fix="loosen the filters"
    )


def _told_reasons(counts: Mapping[str, int]) -> list[str]:
    return [f"{name}: {n:,}" for name, n in sorted(counts.items())]
