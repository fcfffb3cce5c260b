"""All that a study's votes say: agreement, differences, people with each other, raters, ratings, favour."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

import polars as pl

from .. import store
from ..errors import CharmWarning, NotIdentifiable, noting_warnings
from ..reading.shapes import check_shape
from ..shown import Figures
from ..tables import Ratings
from .estimates.agreement import agreement_table, cautions, difference_table
from .estimates.clusters import effective_number
from .estimates.favour import favour_table
from .estimates.model_ratings import model_rating_table
from .estimates.predictions import predict_votes
from .estimates.ratings import rating_table
from .frame import counted as counted_votes
from .nouns import Counted, Study
from .raters.agreement import inter_rater
from .raters.judging import judge_raters, without_raters
from .results import CARELESS, OTHER_TASTE, UNCLEAR, StudyAnalysis
from .warning_words import study_warnings

StudyLike = Study | str | os.PathLike[str]
FORMAT = 1
_SHAPE = {"name": str, "format": int, "summary": dict, "warnings": list, "provenance": dict}


def analyse_study(
    study: StudyLike,
    *,
    without: Collection[str] = (),
    prior: float = 0.0,
    seed: int = 0,
) -> StudyAnalysis:
    """Hold models against the votes of a study, and the raters against each other.

    Args:
        study: a :class:`.nouns.Study`, or the path of a study.db, which may be served meanwhile.
        without: raters whose votes are left out, such as who looks careless. Nobody's are by themselves.
        prior: pseudo-votes per pair of policies that met, for ratings where a policy is undefeated; 0 is none.
        seed: of the folds on which predictions are fitted.

    Returns:
        Tables, figures (``summary``), and warnings: what is right, and may mislead.

    Raises:
        NotIdentifiable: there are no votes that count.
        ConfigError: a rater of ``without`` has no votes, or the file is no study.
        SchemaError: votes on comparisons that the study does not have.
        MissingExtra: nltk is not installed (or SQLAlchemy, for a path).
    """
    study = as_study(study)
    kept = without_raters(study, without)
    with noting_warnings() as notes:
        counted = counted_votes(kept)
        if counted.frame.is_empty():
            raise NotIdentifiable(
                "the study has no votes that count",
                fix="wait for votes (charm study progress), or import some",
            )
        people = inter_rater(kept)
        raters = judge_raters(kept)
        predicted = predict_votes(counted, seed=seed)
        ratings, human, powered = rating_table(counted, predicted, prior=prior)
        by_models = model_rating_table(counted, prior=prior)
        favour, sharpness = favour_table(counted, human, prior=prior)
        agreement, differences = agreement_table(counted, predicted), difference_table(counted, predicted)
        for text in (
            *cautions(counted),
            *study_warnings(kept, counted, people, raters, differences, cast=study.votes.frame),
        ):
            warnings.warn(text, CharmWarning, stacklevel=2)
    summary = _summary(kept, counted, raters, without) | {
        "lambda_of_ratings": None if powered is None else powered.provenance["lam"],
        "sharpness": dict(sharpness),
    }
    return StudyAnalysis(
        name=study.name,
        summary=Figures(summary),
        agreement=_nulled(agreement),
        differences=_nulled(differences),
        people=_nulled(people),
        raters=_nulled(raters),
        ratings=_nulled(ratings),
        favour=_nulled(favour),
        model_ratings=_nulled(by_models),
        human_ratings=human,
        warnings=tuple(notes),
        provenance={
            "verb": "analyse_study",
            "settings": {"without": sorted(without), "prior": prior, "seed": seed},
            "study": json.loads(store.as_json(dict(study.provenance))),
            "models": [{"name": model.name, "kind": model.kind} for model in study.models],
            "alpha": "nltk.metrics.agreement, nominal",
        },
    )


def as_study(study: StudyLike) -> Study:
    """A study as it is, or read from the file at a path.

    Raises:
        ConfigError, UnreadableFile, MissingExtra: as :func:`.database.open_study`.
    """
    if isinstance(study, Study):
        return study
    from .database import open_study

    with open_study(Path(study)) as database:
        return database.read()


def save_analysis(found: StudyAnalysis, folder: str | Path) -> None:
    """Write study.json, and a Parquet file per table, into an existing folder."""
    folder = Path(folder)
    for name, frame in found.tables().items():
        store.write_frame(frame, folder / f"{name}.parquet", force=True)
    if found.human_ratings is not None:
        store.save(found.human_ratings, folder / "human_ratings.parquet", force=True)
    about = {k: v for k, v in found.to_json().items() if k in _SHAPE}
    store.write_json({**about, "format": FORMAT}, folder / "study.json", force=True)


def load_analysis(folder: str | Path) -> StudyAnalysis:
    """Read what :func:`save_analysis` wrote: the same values, exactly.

    Raises:
        UnreadableFile, SchemaError: a file is missing, or is not what was written there.
    """
    folder = Path(folder)
    about = store.read_json(folder / "study.json")
    check_shape(about, _SHAPE, where=str(folder / "study.json"))
    tables = {name: store.read_frame(folder / f"{name}.parquet") for name in StudyAnalysis.TABLES}
    ratings = folder / "human_ratings.parquet"
    return StudyAnalysis(
        name=about["name"],
        summary=Figures(about["summary"]),
        human_ratings=store.load(Ratings, ratings) if ratings.exists() else None,
        warnings=tuple(about["warnings"]),
        provenance=about["provenance"],
        **tables,
    )


def _summary(
    study: Study, counted: Counted, raters: pl.DataFrame, without: Collection[str]
) -> dict[str, Any]:
    """What was asked and answered, in numbers."""
    main = study.comparisons.main
    weight, y = counted.frame["weight"].to_numpy(), counted.frame["y"].to_numpy()
    return {
        "votes": counted.frame.height,
        "raters": counted.frame["rater"].n_unique(),
        "comparisons": counted.frame["comparison_id"].n_unique(),
        "planned_comparisons": main.height,
        "votes_wanted": int(main["votes_wanted"].sum()),
        "candidates": counted.all.height,
        "prompts": counted.frame["prompt_id"].n_unique(),
        "policies": len(study.policies),
        "models": list(counted.models),
        "ties": float((y == 0.5).mean()),
        "weight_efficiency": effective_number(weight) / len(weight),
        "repeats": int(raters["repeats"].sum()),
        "consistent": int(raters["consistent"].sum()),
        "checks": int(raters["checks"].sum()),
        "passed": int(raters["passed"].sum()),
        **{
            name: raters.filter(pl.col("verdict") == verdict)["rater"].to_list()
            for name, verdict in (("flagged", CARELESS), ("other_taste", OTHER_TASTE), ("unclear", UNCLEAR))
        },
        "without": sorted(without),
        "simulated": bool(study.provenance.get("simulated", False)),
        "target": study.provenance.get("target"),
    }


def _nulled(frame: pl.DataFrame) -> pl.DataFrame:
    """The table with nulls where a figure does not exist."""
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None))
