"""What ``charm study analyse`` prints: the decision, then what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..estimates import SIGNIFICANT, signed
from .common import conclude, echo, heading, interval_column, print_frame

if TYPE_CHECKING:
    import polars as pl

    from ..study.results import StudyAnalysis


def print_study(found: StudyAnalysis, *, top: int) -> None:
    """The answer to the study's question, agreement beside that of people with each other, ratings, favour, raters."""
    from ..study.words import headline, size

    simulated = " (simulated raters)" if found.summary.get("simulated") else ""
    named = "Study" if found.name == "study" else f"Study {found.name}"
    heading(f"{named}: {size(found)}{simulated}")
    conclude(f"{found.name}{simulated}: {headline(found)}")
    _print_decision(found)
    _print_agreement(found)
    _print_people(found)
    _print_ratings(found, top)
    if not top:
        _print_model_ratings(found)
    _print_favour(found, top)
    _print_raters(found, top)


def _print_decision(found: StudyAnalysis) -> None:
    from ..study import words
    from ..study.results import POWERED

    for question, told, row in words.decisions(found):
        echo(told, label=question)
        classical = words.beside(found.differences, row) if row["estimator"] == POWERED else None
        if classical is not None:
            echo(f"  from the votes alone: {words.points(classical)}, {words.p_words(classical)}")
        echo(f"  {words.discordance(row)}")
    if agreement := words.agreement_sentence(found):
        echo(f"  agreement with people: {agreement}")
    if target := words.about(found):
        echo(f"  about: {target}")
    for line in words.rater_sentences(found):
        echo(f"  {line}")


def _print_agreement(found: StudyAnalysis) -> None:
    import polars as pl

    from ..study.words import agreement_notes

    if found.differences.height:
        frame = found.differences
        against = frame["baseline"].unique().to_list()
        title = f"from {against[0]}, " if len(against) == 1 else ""
        shown = frame.select(
            "model",
            pl.col("baseline").alias("against"),
            pl.col("votes_used").alias("votes"),
            "estimator",
            (100 * pl.col("difference")).alias("difference"),
            _interval(100.0),
            _p().alias("p"),
            "reading",
        )
        print_frame(
            shown.drop("against") if title else shown,
            title=f"Agreement with people: differences {title}in percentage points",
            digits=1,
            extra=("reading",),
            full=frame,
        )
    if found.agreement.height:
        frame = found.agreement
        shown = frame.select(
            "model",
            pl.col("votes_used").alias("votes"),
            "estimator",
            (100 * pl.col("value")).alias("agreement"),
            _interval(100.0, plus=False),
            pl.col("n_votes").alias("n"),
            pl.col("effective_votes").round(0).cast(pl.Int64, strict=False).alias("effective"),
        )
        print_frame(shown, title="Agreement with people, %", digits=1, extra=("n",), full=frame)
        for line in agreement_notes(found):
            echo(f"  {line}")


def _print_people(found: StudyAnalysis) -> None:
    import polars as pl

    from ..study.words import FIGURES

    frame = found.people.filter(pl.col("value").is_not_null())
    if not frame.height:
        return
    share = pl.col("figure").str.starts_with("pairwise")
    scale = pl.when(share).then(100.0).otherwise(1.0)
    scaled = frame.with_columns([(pl.col(c) * scale).alias(c) for c in ("value", "ci_low", "ci_high")])
    cells = pl.struct("value", "ci_low", "ci_high", share.alias("share")).map_elements(
        _cell, return_dtype=pl.String
    )
    shown = scaled.select(
        pl.col("figure").replace(FIGURES).alias("people with each other"),
        cells.alias("value [95 % CI]"),
        pl.col("n_comparisons").alias("comparisons"),
        pl.col("n_raters").alias("raters"),
    )
    print_frame(
        shown, title="People with each other: the ceiling of a model's agreement", full=frame, main=False
    )


def _cell(row: dict[str, Any]) -> str:
    from ..study.words import plain

    return plain(row, digits=1 if row["share"] else 2)


def _print_ratings(found: StudyAnalysis, top: int) -> None:
    if found.ratings.height:
        print_frame(
            rating_table(found.ratings),
            title="Ratings by people, Elo points [95 % CI]",
            digits=0,
            limit=top or None,
            tail=3,
            full=found.ratings,
            main=not found.differences.height and not found.agreement.height,
        )


def _print_model_ratings(found: StudyAnalysis) -> None:
    if found.model_ratings.height:
        print_frame(
            model_rating_table(found),
            title="Ratings by each model's verdicts on all candidates, Elo points [95 % CI]",
            full=found.model_ratings,
            main=False,
        )


def model_rating_table(found: StudyAnalysis) -> pl.DataFrame:
    """A row a policy, in the order of people's ratings: the rating by each model."""
    import polars as pl

    from ..study.results import CLASSICAL

    frame = found.model_ratings.with_columns(
        pl.struct("rating", "ci_low", "ci_high").map_elements(_elo, return_dtype=pl.String).alias("cell")
    )
    names = frame["model"].unique(maintain_order=True).to_list()
    policies = frame["policy"].unique(maintain_order=True)
    if found.ratings.height:
        best = found.ratings.filter(pl.col("estimator") == CLASSICAL).sort("rating", descending=True)[
            "policy"
        ]
        policies = pl.concat([best, policies]).unique(maintain_order=True)
    table = pl.DataFrame({"policy": policies})
    for name in names:
        rows = frame.filter(pl.col("model") == name).select("policy", pl.col("cell").alias(f"by {name}"))
        table = table.join(rows, on="policy", how="left", maintain_order="left")
    return table


def rating_table(frame: pl.DataFrame) -> pl.DataFrame:
    """A row a policy, best first: the rating of each estimator with its interval."""
    import polars as pl

    from ..study.results import CLASSICAL, POWERED

    told = {CLASSICAL: "votes alone", POWERED: "prediction-powered"}
    cells = frame.with_columns(
        pl.struct("rating", "ci_low", "ci_high").map_elements(_elo, return_dtype=pl.String).alias("cell")
    )
    best = CLASSICAL if CLASSICAL in frame["estimator"].to_list() else POWERED
    order = frame.filter(pl.col("estimator") == best).sort("rating", "policy", descending=[True, False])
    table = order.select("policy", "votes")
    for estimator, name in told.items():
        rows = cells.filter(pl.col("estimator") == estimator).select("policy", pl.col("cell").alias(name))
        if rows.height:
            table = table.join(rows, on="policy", how="left", maintain_order="left")
    return table.select("policy", *(c for c in told.values() if c in table.columns), "votes")


def _elo(row: dict[str, Any]) -> str:
    from ..study.words import plain

    return "-" if row["rating"] is None else plain(row, "rating", digits=0)


def _print_favour(found: StudyAnalysis, top: int) -> None:
    import polars as pl

    if not found.favour.height:
        return
    frame = found.favour.sort(pl.col("favour").abs(), descending=True)
    sure = frame.filter(~pl.col("verdict").is_in(["no evidence", "underpowered"]))
    frame = pl.concat([sure, frame.join(sure, on=["model", "policy"], how="anti", maintain_order="left")])
    shown = frame.select(
        "model",
        "policy",
        "favour",
        interval_column(0),
        pl.col("q_value")
        .map_elements(lambda q: f"{q:.2g}", return_dtype=pl.String)
        .fill_null("-")
        .alias("q"),
        "verdict",
    )
    print_frame(
        shown,
        title=f"Whom models favour against these people, Elo points: {sure.height} of {frame.height} beyond chance (q <= {SIGNIFICANT:g})",
        digits=0,
        limit=top or None,
        full=found.favour,
        main=False,
    )


def _print_raters(found: StudyAnalysis, top: int) -> None:
    import polars as pl

    if not found.raters.height:
        return
    marked = pl.col("verdict") != ""
    frame = found.raters.sort([marked, pl.col("votes")], descending=[True, True], maintain_order=True)
    shown = frame.select(
        "rater",
        "votes",
        _of("consistent", "repeats").alias("consistent"),
        _of("passed", "checks").alias("checks"),
        (100 * pl.col("agreement")).alias("agree, %"),
        (100 * pl.col("left_share")).alias("left, %"),
        (100 * pl.col("tie_share")).alias("ties, %"),
        "seconds",
        pl.col("q_value")
        .map_elements(lambda q: f"{q:.2g}", return_dtype=pl.String)
        .fill_null("-")
        .alias("q"),
        "verdict",
        pl.col("flags").fill_null("").alias("why"),
    )
    print_frame(
        shown,
        title="Raters: agreement with the others, consistency on repeats, checks passed",
        digits=0,
        limit=top or None,
        extra=("q", "seconds", "ties, %"),
        full=found.raters,
        main=False,
    )


def _of(part: str, whole: str) -> pl.Expr:
    """``7 of 8``; ``-`` where there were none."""
    import polars as pl

    return pl.when(pl.col(whole) > 0).then(pl.format("{} of {}", part, whole)).otherwise(pl.lit("-"))


def _interval(scale: float, *, plus: bool = True) -> pl.Expr:
    import polars as pl

    def text(row: dict[str, float | None]) -> str:
        ends = [row["ci_low"], row["ci_high"]]
        if any(end is None for end in ends):
            return "-"
        shown = [signed(scale * end, 1) if plus else f"{scale * end:.1f}" for end in ends if end is not None]
        return f"[{', '.join(shown)}]"

    return pl.struct("ci_low", "ci_high").map_elements(text, return_dtype=pl.String).alias("95 % CI")


def _p() -> pl.Expr:
    import polars as pl

    from ..study.words import chance

    return pl.col("p_value").map_elements(chance, return_dtype=pl.String).fill_null("-")
