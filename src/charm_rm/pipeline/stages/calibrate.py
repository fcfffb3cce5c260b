"""Calibrate: scores or judgements and ratings -> offsets; which policies, where that is left to choose. (By style: :mod:`.style`.)"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from ...errors import (
    CharmError,
    CharmWarning,
    ConfigError,
    NoOverlap,
    NotIdentifiable,
    UnknownPolicy,
    counted,
    listing,
)
from ...evaluate.attained import effect_of_offsets
from ...margins import only_policies, position
from ...mismatch.words import upside_down_words
from ...offsets import solve_joint_offsets, solve_offsets, solve_streamed_joint_offsets
from ...policy_names import near_policies
from ...ratings import expected_win_rate
from ...samples import refuse_samples
from ...settings import AUTO, AuditSettings, CalibrateSettings, Unrated, as_names
from ...streaming import ScoreStream, refuse_streaming
from ...tables import Favouritism, Margins, Offsets, Ratings, Scores
from .audit import audit_source

if TYPE_CHECKING:
    from ..run import Run

# A reference chosen by itself is one against which `over` is expected to win neither rarely nor nearly always.
_NEAR = (0.25, 0.75)


def calibrate(
    source: Scores | Margins | ScoreStream,
    ratings: Ratings,
    settings: CalibrateSettings,
    audit: AuditSettings,
    *,
    seed: int,
    aliases: str | None = None,
    unrated: Unrated = "error",
) -> Offsets:
    """Choose policies and references where they are `auto`, leave out those held out, solve.

    ``audit`` says how the audit behind `auto` is made, and how many draws there are. What `auto` chose is in the provenance, and
    what the offsets make of the agreement with people (``effect``: :func:`charm_rm.evaluate.attained.effect_of_offsets`).

    Raises:
        SeveralSamples: the scores are of several samples of a policy on a prompt.
    """
    settings.check_method()
    if settings.method == "style":
        raise ConfigError("a style calibration has no offsets", fix="use calibrate_style")
    if isinstance(source, ScoreStream):
        _check_held_out(source, settings.held_out)
        source = source.only(set(source.policies) - set(settings.held_out))
    else:
        source = without(single_responses(source), settings.held_out)
    names: dict[str, Any] = {"aliases": aliases, "unrated": unrated}
    over, references = chosen_pair(source, ratings, settings, audit, seed=seed, names=names)
    table = _table(source, settings, [*over, *references])
    common: dict[str, Any] = {"draws": audit.draws, "seed": seed}
    solving = settings if settings.temperature is not None else replace(settings, temperature=1.0)
    if settings.method == "joint":
        common |= solving.accepted_by(solve_joint_offsets) | names | {"references": references}
        if isinstance(source, ScoreStream):
            if settings.objective != "total-wins":
                raise refuse_streaming(
                    "solve least squares", fix="leave out --objective, or use --engine memory"
                )
            del common["objective"]
            offsets = solve_streamed_joint_offsets(source, ratings, **common)
        else:
            offsets = solve_joint_offsets(table, ratings, **common)
    else:
        common |= solving.accepted_by(solve_offsets) | {"aliases": aliases}
        offsets = solve_offsets(table, ratings, **common | {"over": over, "references": references})
    effect = effect_of_offsets(offsets, ratings, aliases=aliases, unrated=unrated)
    notes = _upside_down(source, ratings, audit, seed=seed, aliases=aliases)
    for note in notes:
        warnings.warn(note, CharmWarning, stacklevel=2)
    said = {"warnings": [*offsets.provenance["warnings"], *notes], "effect": effect}
    return replace(offsets, provenance={**offsets.provenance, **said})


def _table(
    source: Scores | Margins | ScoreStream, settings: CalibrateSettings, policies: Sequence[str]
) -> Any:
    """What is solved on: of a stream, for single pairs, the scores of the few policies that are asked about, all of them."""
    if not isinstance(source, ScoreStream):
        return source
    if settings.method == "joint":
        return source
    return source.scores_of(policies)


def _upside_down(
    source: Scores | Margins | ScoreStream,
    ratings: Ratings,
    audit: AuditSettings,
    *,
    seed: int,
    aliases: str | None,
) -> list[str]:
    """A warning where the ranking of all rated policies falls with people's; its interval is drawn only then."""
    for draws in (0, audit.draws):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", CharmWarning)
                settings = replace(audit, references=None, draws=draws)
                found = audit_source(source, ratings, settings, seed=seed, aliases=aliases, unrated="skip")
        except CharmError:  # too little for an audit: nothing is known of the ranking
            return []
        spearman = found.rank_correlation.get("spearman")
        if spearman is None or not spearman.value < 0:
            return []
        words = upside_down_words(spearman, found.summary["slope"])
    return [] if words is None else [f"{words}; offsets would hide that, not fix it"]


def chosen_pair(
    source: Scores | Margins | ScoreStream,
    ratings: Ratings,
    settings: CalibrateSettings,
    audit: AuditSettings,
    *,
    seed: int,
    names: dict[str, Any],
) -> tuple[list[str], list[str]]:
    """The policies to calibrate (none: all, jointly) and their references: as given, or found by an audit.

    `auto` takes the most favoured policy, and as reference the one with the least favour, either way, among those
    against which it is expected to win between a quarter and three quarters of the time (among all, where
    there is none, and for joint offsets).
    """
    over = [] if settings.method == "joint" else list(as_names(settings.over))
    references = list(as_names(settings.references))
    for name in (*over, *references):
        position(source.policies, name)  # refuses an unknown one
    choose_over = settings.method == "pair" and not over
    choose_references = settings.references in (AUTO, (AUTO,))
    if choose_over or choose_references:
        favour = _favour(source, ratings, audit, seed=seed, names=names)
        over = [_most_favoured(favour, references)] if choose_over else over
        references = [_aligned(source, favour, over)] if choose_references else references
    return over, references


def _favour(
    source: Scores | Margins | ScoreStream,
    ratings: Ratings,
    audit: AuditSettings,
    *,
    seed: int,
    names: dict[str, Any],
) -> Favouritism:
    """Favour by every pair, without intervals: the audit of before has said what there is to say."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        found = audit_source(source, ratings, replace(audit, references=None, draws=0), seed=seed, **names)
    if found.favouritism is None:
        raise NotIdentifiable(
            "calibrate: favour cannot be measured here, so `auto` finds nothing: "
            + "; ".join(found.warnings),
            fix="name `over` and `references` in the configuration (--over, --ref)",
        )
    return found.favouritism


def _most_favoured(favour: Favouritism, excluded: list[str]) -> str:
    frame = favour.frame.filter(~pl.col("policy").is_in(excluded))
    return str(frame.sort("favour", "policy", descending=[True, False])["policy"][0])


def _aligned(source: Scores | Margins | ScoreStream, favour: Favouritism, over: list[str]) -> str:
    frame = favour.frame
    if not over:
        return str(frame.sort(pl.col("favour").abs(), "policy")["policy"][0])
    rating = float(frame.filter(pl.col("policy").is_in(over))["arena_elo"].mean())  # type: ignore[arg-type]
    others = frame.filter(pl.col("policy").is_in(_opponents(source, over)))
    if others.is_empty():
        raise NoOverlap(
            f"calibrate: no rated policy was compared with {listing(over)} by prompt, so `auto` finds no reference",
            fix="score or judge the same prompts (check prompt_id), or name another policy",
        )
    expected = expected_win_rate(rating, others["arena_elo"].to_numpy())
    near = others.filter(pl.Series((expected >= _NEAR[0]) & (expected <= _NEAR[1])))
    candidates = near if near.height else others
    return str(candidates.sort(pl.col("favour").abs(), "policy")["policy"][0])


def _opponents(source: Scores | Margins | ScoreStream, over: list[str]) -> list[str]:
    """The policies that were compared with every one of ``over``: a judge may have seen a baseline alone."""
    met = [_met(source, name) for name in over]
    return sorted(set.intersection(*met) - set(over))


def _met(source: Scores | Margins | ScoreStream, name: str) -> set[str]:
    if isinstance(source, ScoreStream):
        return source.opponents(name)
    frame = source.frame
    if isinstance(source, Scores):
        prompts = frame.filter(pl.col("policy") == name)["prompt_id"]
        return set(frame.filter(pl.col("prompt_id").is_in(prompts.to_list()))["policy"])
    pairs = frame.filter((pl.col("policy") == name) | (pl.col("reference") == name))
    return {*pairs["policy"], *pairs["reference"]}


def single_responses(source: Scores | Margins) -> Scores | Margins:
    """The source itself, where a policy has one response to a prompt: what a calibration is solved on.

    Raises:
        SeveralSamples: a policy has several.
    """
    return refuse_samples(
        source,
        why="a calibration is solved on one response of each",
        fix="solve on one: --sample first, as voters saw them (or mean, or max; score.sample in a run). What is solved is for every sample: "
        "charm apply and charm relabel take --sample all",
    )


def without(source: Scores | Margins, held_out: Sequence[str]) -> Scores | Margins:
    """The source without the policies that are held out of any calibration."""
    _check_held_out(source, held_out)
    return only_policies(source, set(source.policies) - set(held_out)) if held_out else source


def _check_held_out(source: Scores | Margins | ScoreStream, held_out: Sequence[str]) -> None:
    known = source.policies
    for name in held_out:
        if name not in known:
            raise UnknownPolicy(
                f"calibrate.held_out: policy {name!r} has no {source.noun}.{near_policies(name, known)}",
                fix="name policies of the responses",
            )


# --- a run's part -------------------------------------------------------------------------------


def run_stage(run: Run) -> str:
    """Solve offsets on the train prompts; choose policy and references there too, so that no test figure is flattered."""
    section = run.config.calibrate
    if section is None:
        raise ConfigError("the section calibrate is off", fix="give the section in the configuration")
    offsets = calibrate(
        run.before("train"), run.ratings(), section, run.config.audit, seed=run.config.seed, **run.names
    )
    moved = offsets.frame.filter(~pl.col("is_reference"))
    references = [str(r) for r in offsets.provenance["references"]]
    over: str | list[str] | None = None
    if section.method == "pair":
        over = moved["policy"].to_list()
        over = over[0] if len(over) == 1 else over
    chosen = {"over": over, "references": references, "held_out": list(section.held_out), "split": "train"}
    run.save(replace(offsets, provenance={**offsets.provenance, **chosen}), "offsets.parquet")
    if over is None:
        return f"{counted(len(offsets), 'policy', 'policies')} jointly, reference {', '.join(references) or 'none'}"
    return ", ".join(
        f"{r['policy']} over {', '.join(references)}: offset {r['delta']:+.3f}, target {r['target']:.3f}"
        for r in moved.iter_rows(named=True)
    )
