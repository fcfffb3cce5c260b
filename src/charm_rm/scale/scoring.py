"""Scoring by Ray: parts of the table to actors, their scores back into one table, in the order of the rows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from .. import store
from ..errors import CharmWarning, NoOverlap, UnknownPolicy, listing
from ..extras import require
from ..memo import remove_memo
from ..policy_names import near_policies
from ..provenance import source_record, versions
from ..settings import EngineSettings, ModelSettings, ResponsesSettings, ScoreSettings, TableSettings
from ..specs import load_scorer
from ..tables import Scores
from .parts import Aside, Part, cut, model_on_disk, read_part, refuse_lost
from .progress import task_bar
from .tasks import Work, run_tasks


def score_by_ray(
    source: ResponsesSettings,
    rm: str,
    output: Path,
    *,
    loading: ModelSettings,
    scoring: ScoreSettings,
    engine: EngineSettings,
    memo: Path,
    progress: bool = True,
) -> Scores:
    """Score partitioned Parquet: the rows and scores of :func:`~charm_rm.models.score_responses`, in their order.

    Args:
        source: which responses; a file, folder or pattern of Parquet.
        rm: what scores, as :func:`~charm_rm.specs.load_scorer` takes it; each actor opens it once.
        output: where the scores will be written; finished parts lie beside it until then.
        memo: a store of scores. Actors of this machine share it; those of a cluster, on other machines, have one for each task,
            as its file is made for one machine.

    Raises:
        ModelError: the model cannot be opened, or its scores would be wrong.
        StageFailed: files could not be read, or rows not scored; all others are finished and kept.
        CharmError: as reading and scoring raise.
    """
    require("ray", extra="ray")
    parts, unreadable = cut(source.source, engine.ray_rows)
    opening = {"rm": rm, "loading": loading.values(ModelSettings), "unchecked": scoring.unchecked}
    with Aside.of(output) as aside:
        tasks = _tasks(parts, source, rm, aside, loading=loading, scoring=scoring, engine=engine, memo=memo)
        left = [task for task in tasks if not Path(task["output"]).exists()]
        with task_bar("scoring", len(tasks), done=len(tasks) - len(left), show=progress) as tell:
            _, lost = run_tasks(Work(_open, opening, _score_part), left, engine, tell=tell)
        refuse_lost([*unreadable, *lost], of=len(tasks))
        scores = _assembled([Path(task["output"]) for task in tasks], source)
    _tell_truncated(scores)
    return scores


def _tasks(
    parts: Sequence[Part],
    source: ResponsesSettings,
    rm: str,
    aside: Aside,
    *,
    loading: ModelSettings,
    scoring: ScoreSettings,
    engine: EngineSettings,
    memo: Path,
) -> list[dict[str, Any]]:
    """A task for each part, named by all that decides its scores."""
    columns = TableSettings(columns=source.columns).fields("responses")
    decides: list[Any] = [
        rm,
        list(model_on_disk(rm)),
        list(model_on_disk(loading.calibrator or "")),
        _stamp(loading.calibrator),
    ]
    decides += [loading.values(ModelSettings), scoring.token_budget, columns, source.policies, versions()]
    root = source.source if isinstance(source.source, str) else ""
    tasks = []
    for number, part in enumerate(parts):
        key = part.key(*decides)
        file = part.file
        own = None if engine.ray_address is None else str(aside.file(key, ".sqlite"))
        tasks.append(
            {
                "number": number,
                "name": part.name,
                "part": asdict(part) | {"file": str(Path(file).absolute())},
                "root": str(Path(root or file).absolute()),
                "columns": columns,
                "policies": source.policies,
                "token_budget": scoring.token_budget,
                "memo": own or str(memo.absolute()),
                "memo_goes": own is not None,
                "output": str(aside.file(key)),
            }
        )
    return tasks


def _stamp(file: str | None) -> list[int]:
    if file is None or not Path(file).is_file():
        return []
    stat = Path(file).stat()
    return [stat.st_size, stat.st_mtime_ns]


# --- in the actors ------------------------------------------------------------------------------


class _Opened:
    """A model, and whether it was looked over."""

    def __init__(self, model: Any, *, unchecked: bool) -> None:
        self.model, self.checked = model, unchecked


def _open(opening: Mapping[str, Any]) -> _Opened:
    return _Opened(load_scorer(opening["rm"], **opening["loading"]), unchecked=opening["unchecked"])


def _score_part(opened: _Opened, task: Mapping[str, Any]) -> Mapping[str, Any]:
    """Score one part into its file."""
    from ..models import score_responses
    from ..models.doctor import refuse_unsound

    if Path(task["output"]).exists():  # by an actor that was lost before it could say so
        return {}
    part = Part(**task["part"])
    responses = read_part(part, task["root"], task["columns"], task["policies"])
    if responses is None:
        return {}
    if not opened.checked:
        refuse_unsound(opened.model, responses.frame["response"].to_list())
        opened.checked = True
    scores = score_responses(
        opened.model, responses, token_budget=task["token_budget"], progress=False, memo=task["memo"]
    )
    store.save(scores, task["output"], force=True)
    if task["memo_goes"]:
        remove_memo(task["memo"])
    return {}


# --- the whole ----------------------------------------------------------------------------------


def _assembled(files: Sequence[Path], source: ResponsesSettings) -> Scores:
    """One table of all parts, in their order.

    Raises:
        NoOverlap: there are no rows.
        UnknownPolicy: a chosen policy has none.
        SchemaError: a response stands twice, in different parts.
    """
    rows = [store.load(Scores, file) for file in files if file.exists()]
    if not rows:
        raise NoOverlap(
            "there are no responses", where=str(source.source), fix="check the files and --policy"
        )
    frame = pl.concat([table.frame for table in rows])
    known = frame["policy"].unique().to_list()
    if absent := [p for p in source.policies or () if p not in known]:
        raise UnknownPolicy(
            f"no responses of policy {listing(absent)}.{near_policies(absent[0], known)}",
            fix="check the policy's name",
        )
    return Scores(frame, provenance=_provenance(rows, source))


def _provenance(parts: Sequence[Scores], source: ResponsesSettings) -> dict[str, Any]:
    """That of the first part, with what is counted added up."""
    about = dict(parts[0].provenance)
    for name in ("from_store", "truncated"):
        if name in about:
            about[name] = sum(int(part.provenance.get(name, 0)) for part in parts)
    about.pop("padding_share", None)
    given = (source.source,) if isinstance(source.source, str) else source.source
    read = {"verb": "load_responses", "sources": [source_record(one) for one in given]}
    if source.policies is not None:
        read["policies"] = list(source.policies)
    return about | {"responses": read, "engine": {"name": "ray", "tasks": len(parts)}}


def _tell_truncated(scores: Scores) -> None:
    """What scoring says of the whole, which the actors keep to themselves."""
    if "truncated" not in scores.frame.columns:
        return
    cut_off = int(scores.frame["truncated"].sum())
    if cut_off:
        warnings.warn(
            f"{cut_off} of {len(scores)} conversations ({cut_off / len(scores):.1%}) were longer than the maximum length "
            "and scored without part of their text",
            CharmWarning,
            stacklevel=3,
        )
