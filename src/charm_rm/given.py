"""What a verb takes for scores, judgements, win rates and offsets: the table itself, any table of another library, or a path.

One function for each kind; every public verb begins with them, so that all take the same. Ratings and battles have theirs in
:mod:`.ratings.given`, responses and preferences beside their loaders.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeAlias

from .errors import ConfigError
from .paths import file_of
from .samples import choose_sample, refuse_samples
from .settings import Sample, TableSettings
from .sources import load_source, source_from_frame
from .store import load
from .tables import Margins, Offsets, Scores, TableLike, WinRates, as_frame

PathLike: TypeAlias = str | os.PathLike[str]
SourceLike: TypeAlias = Scores | Margins | WinRates | TableLike | PathLike
ComparableLike: TypeAlias = Scores | Margins | TableLike | PathLike
ScoresLike: TypeAlias = Scores | TableLike | PathLike
MarginsLike: TypeAlias = Margins | TableLike | PathLike
OffsetsLike: TypeAlias = Offsets | TableLike | PathLike

_WHERE = "the table given"


def as_source(
    given: SourceLike,
    *,
    columns: Mapping[str, str] | None = None,
    reward_model: str | None = None,
    sample: Sample | None = None,
    samples: bool = False,
) -> Scores | Margins | WinRates:
    """Scores, judgements or published win rates: of a path as :func:`.sources.load_source` reads it, of a table by its columns.

    ``columns``, ``reward_model`` and ``sample`` say what names of columns do not tell, as for :func:`charm_rm.load_scores`.
    ``samples``: scores of several samples may be there (``sample="all"``).

    Raises:
        SeveralSamples: a policy has several scores on a prompt, and ``samples`` is off.
        SchemaError: no table, one of no known columns, or values that are of the wrong kind.
        UnreadableFile: the path cannot be read.
    """
    table = TableSettings.of(columns, reward_model=reward_model, sample=sample)
    found = _source(given, table)
    if isinstance(found, Scores):
        found = found if sample is None else choose_sample(found, sample)
        return found if samples or sample == "all" else refuse_samples(found)
    return found


def _source(given: SourceLike, table: TableSettings) -> Scores | Margins | WinRates:
    if isinstance(given, Scores | Margins | WinRates):
        return given
    if isinstance(given, str | os.PathLike):
        return load_source(file_of(given), table=table)
    from .judgements import judged_from_frame  # loaded where no noun is given

    frame = as_frame(given, noun="scores")
    judged = judged_from_frame(frame, where=_WHERE)
    return source_from_frame(frame, where=_WHERE, table=table) if judged is None else judged


def as_comparable(given: ComparableLike | WinRates, *, samples: bool = False) -> Scores | Margins:
    """:func:`as_source`, of responses: scores or judgements.

    Raises:
        ConfigError: these are published win rates.
    """
    source = as_source(given, samples=samples)
    if isinstance(source, WinRates):
        raise _another(
            given, source, "an offset or a comparison of responses needs scores or judgements of each prompt"
        )
    return source


def as_scores(
    given: ScoresLike,
    *,
    columns: Mapping[str, str] | None = None,
    reward_model: str | None = None,
    sample: Sample | None = None,
    samples: bool = False,
) -> Scores:
    """:func:`as_source`, of scores alone.

    Raises:
        ConfigError: these are judgements, or published win rates.
    """
    source = as_source(given, columns=columns, reward_model=reward_model, sample=sample, samples=samples)
    if not isinstance(source, Scores):
        raise _another(given, source, "scores are needed, one number a response")
    return source


def as_judgements(given: MarginsLike) -> Margins:
    """:func:`as_source`, of judgements alone.

    Raises:
        ConfigError: these are scores, or published win rates.
    """
    source = as_source(given)
    if not isinstance(source, Margins):
        raise _another(given, source, "judgements of pairs are needed")
    return source


def as_offsets(given: OffsetsLike) -> Offsets:
    """Offsets, or the table or file that holds them (policy, delta, is_reference ...)."""
    if isinstance(given, Offsets):
        return given
    if isinstance(given, str | os.PathLike):
        return load(Offsets, file_of(given))
    return Offsets(as_frame(given, noun=Offsets.noun))


def _another(given: Any, found: Scores | Margins | WinRates, why: str) -> ConfigError:
    where = str(given) if isinstance(given, str | os.PathLike) else None
    return ConfigError(
        f"this table holds {found.noun}: {why}", where=where, fix="give the table they were made from"
    )
