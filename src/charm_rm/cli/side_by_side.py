"""What ``charm compare`` takes of each model: ``[NAME=]SCORES[@WHOSE][,EVALUATION]``, and how it is opened."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, SeveralModels, counted

if TYPE_CHECKING:
    from ..settings import TableSettings
    from ..tables import Margins, Scores, WinRates

_NAMED = re.compile(r"([^=,/@]+)=(.+)", re.DOTALL)


@dataclass(frozen=True)
class Contender:
    """One model as it was given: a file or folder of scores or judgements (``whose`` of them), and a folder of an evaluation."""

    name: str
    source: Path | None = None
    whose: str | None = None
    evaluation: Path | None = None

    @property
    def paths(self) -> list[Path]:
        """What it is read from."""
        return [path for path in (self.source, self.evaluation) if path is not None]


def evaluation_file(one: Contender) -> Path:
    """The file that stands for a model's evaluation in records."""
    return Path(str(one.evaluation)) / "evaluation.json"


def is_plain(words: Sequence[str]) -> bool:
    """Whether these are two tables and nothing else: the comparison of two, first minus second."""
    from ..comparison import is_evaluation

    return len(words) == 2 and all(
        _as_given(word) is None and not is_evaluation(Path(word)) for word in words
    )


def contenders(words: Sequence[str]) -> list[Contender]:
    """The models by name, in the order given.

    Raises:
        ConfigError: two of one name, or two tables or two evaluations of one model.
    """
    found = [_contender(word) for word in words]
    names = [one.name for one in found]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(
            f"{counted(names.count(doubled[0]), 'model')} are called {doubled[0]!r}",
            fix=f"name them: first={words[names.index(doubled[0])]} second=...; give each model once",
        )
    return found


def _as_given(word: str) -> tuple[str | None, str] | None:
    """(name, what it names) of a word that is more than a path; None of one that is a path, there or not."""
    if Path(word).exists():
        return None
    named = _NAMED.fullmatch(word)
    name, rest = (named[1], named[2]) if named else (None, word)
    return (name, rest) if named or "," in rest or _whose(rest)[1] is not None else None


def _contender(word: str) -> Contender:
    from ..comparison import is_evaluation

    name, rest = _as_given(word) or (None, word)
    found: dict[str, Path | str | None] = {}
    for part in [rest] if Path(rest).exists() else rest.split(","):
        path, whose = _whose(part)
        kind = "evaluation" if is_evaluation(path) else "source"
        if kind in found:
            what = "evaluations" if kind == "evaluation" else "tables of scores or judgements"
            raise ConfigError(
                f"two {what} of one model: {found[kind]} and {path}",
                where=word,
                fix="give models apart, by a space",
            )
        found[kind] = path
        if kind == "source":
            found["whose"] = whose
    first = found.get("source") or found["evaluation"]
    shown = found.get("whose") or Path(str(first)).stem or Path(str(first)).resolve().name
    return Contender(name or str(shown), **found)  # type: ignore[arg-type]


def _whose(part: str) -> tuple[Path, str | None]:
    """``FILE@MODEL``: the file, and whose scores or judgements of it."""
    path, at, whose = part.rpartition("@")
    if at and whose and not Path(part).exists() and Path(path).exists():
        return Path(path), whose
    return Path(part), None


def load_contender(
    one: Contender, *, annotator: str | None, baseline: str | None, table: TableSettings
) -> Scores | Margins | WinRates:
    """The scores or judgements of a model; ``annotator`` and ``table`` are what was said for all.

    Raises:
        SeveralModels: there are several in the file, and none was chosen.
    """
    from ..judgements import holds_judgements, load_judged
    from ..sources import load_source

    path = Path(str(one.source))
    if one.whose is None:
        try:
            return load_source(path, annotator=annotator, baseline=baseline, table=table)
        except SeveralModels as error:
            error.fix = f"write {path}@MODEL for each model of it"
            raise
    if not path.is_dir() or holds_judgements(path):
        judged = load_judged(path, annotator=one.whose, baseline=baseline, columns=table.fields("scores"))
        if judged is not None:
            return judged
    return load_source(path, table=replace(table, reward_model=one.whose))
