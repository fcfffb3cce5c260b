"""What people can be asked about: every comparison of two answers, beside what each model says of it; and the votes that count."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from ..comparison.shared import turned
from ..errors import CharmWarning, ConfigError, NoOverlap, listing
from ..errors import counted as count_of
from ..samples import refuse_samples
from ..statistics import FloatArray
from ..tables import Battles, Responses
from ..text_hash import refuse_other_texts
from .nouns import Counted, Study, StudyModel
from .planning.answers import BLANK, IDENTICAL, MISSING, comparable_pairs
from .unmatched import unmatched_words

KEY = list(Study.CANDIDATE_COLUMNS)
NO_VERDICT, SELF_NAMING, UNMATCHED = "no_verdict", "self_naming", "unmatched"
_SAID = {
    MISSING: "one of the two policies has no answer",
    BLANK: "an answer is empty",
    IDENTICAL: "both answers are the same text",
    NO_VERDICT: "a model has no verdict",
    SELF_NAMING: "an answer names its policy or maker",
}


@dataclass(frozen=True, eq=False)
class Candidates:
    """All comparisons that people may be asked about (``frame``), and an account of those that may not.

    ``frame`` has prompt_id, policy_a, policy_b (policy_a < policy_b) and ``margin_NAME`` per model, sorted by the first three.
    ``account``: ``possible`` (prompts x pairs of policies), then how many were left out for each reason, each counted once under the
    first reason that holds, and ``candidates``; ``no_verdict_of`` counts by model, and ``unmatched`` says which ids and names a model
    does not have.
    """

    frame: pl.DataFrame
    account: Mapping[str, Any] = field(default_factory=dict)


def find_candidates(
    responses: Responses,
    models: Sequence[StudyModel],
    *,
    policies: Sequence[str] | None = None,
    pairs: Collection[tuple[str, str]] | None = None,
    unfit: Mapping[str, pl.DataFrame] | None = None,
) -> Candidates:
    """Every (prompt, pair of policies) that both have answered and all models have a verdict on.

    Args:
        responses: one answer of each policy to each prompt; a policy may miss prompts.
        models: whose verdicts are asked for, in order; none is allowed.
        policies: only these (default: all).
        pairs: only these pairs of policies, in either order (default: all).
        unfit: answers (prompt_id, policy) that are not to be compared, by the reason, which the account names.

    Raises:
        SeveralSamples: a policy has several answers to a prompt.
        UnknownPolicy: a policy that has no responses.
        SchemaError: scores keep hashes of their texts, and the responses are other texts.
        ConfigError: two models of one name, or more comparisons than memory holds.
        NoOverlap: nothing is left.
    """
    refuse_samples(responses)
    refuse_same_names(models)
    for model in models:
        if model.scores is not None:
            refuse_other_texts(model.scores, responses)
    base, account = comparable_pairs(responses, policies=policies, pairs=pairs, unfit=unfit or {})
    frame = with_margins(base, models)
    has = {m.name: frame[margin_column(m.name)].is_not_null() for m in models}
    kept = frame.filter(pl.all_horizontal(*has.values())) if has else frame
    account |= {
        NO_VERDICT: frame.height - kept.height,
        "no_verdict_of": {name: int((~known).sum()) for name, known in has.items()},
        "candidates": kept.height,
        "candidate_prompts": kept["prompt_id"].n_unique(),
        UNMATCHED: unmatched_words(responses, models, policies=policies),
    }
    if kept.is_empty():
        raise NoOverlap(
            "there is no comparison to ask people about. " + left_out_words(account),
            fix="score the responses with every model, and check that prompt_id and policy are the same in all tables",
        )
    return Candidates(kept, account)


def margin_column(model: str) -> str:
    """The column that holds a model's margins: above 0 prefers policy_a."""
    return f"margin_{model}"


def verdicts(frame: pl.DataFrame, model: str) -> FloatArray:
    """(rows,) verdicts ½ (1 + sign of the margin) of a model on comparisons with its margins: 1 policy_a, 0 policy_b, ½ a tie."""
    verdict: FloatArray = 0.5 * (1 + np.sign(frame[margin_column(model)].to_numpy().astype(np.float64)))
    return verdict


def weight_of_vote(votes: pl.Expr | None = None) -> pl.Expr:
    """1 / (inclusion · votes on the comparison), of votes beside their comparison's ``inclusion``; ``votes`` counts those that count, by default all rows."""
    return 1.0 / (pl.col("inclusion") * (pl.len() if votes is None else votes).over("comparison_id"))


def worth_of_vote() -> pl.Expr:
    """y of a vote by its ``winner``: 1 where a won, 0 where b won, ½ for a tie or both bad."""
    return pl.col("winner").replace_strict(Battles.worth, return_dtype=pl.Float64)


def with_margins(frame: pl.DataFrame, models: Sequence[StudyModel]) -> pl.DataFrame:
    """The comparisons (prompt_id, policy_a, policy_b) with ``margin_NAME`` per model, in the same order; null where it has no verdict.

    Of scores it is s_a - s_b; of a judge its margin turned to a over b, the mean where it judged both ways round.
    """
    return frame.with_columns(
        [_margins(frame.select(KEY), model).alias(margin_column(model.name)) for model in models]
    )


def counted(study: Study) -> Counted:
    """The votes that count, each with its weight and what every model says, beside what they say of all candidates.

    Repeats and checks do not count. w = 1 / (inclusion · votes that count on the comparison), so that the weights of a comparison's votes sum
    to the candidates that it stands for. Of an imported study, all comparisons are the candidates. Comparisons without a verdict of every
    model are left out, which a warning says.
    """
    main = study.comparisons.main
    main = with_margins(main.select("comparison_id", *KEY, "inclusion"), study.models)
    population = main.select(KEY).unique() if study.candidates is None else study.candidates.select(KEY)
    everything = with_margins(population.sort(KEY), study.models)
    names = tuple(model.name for model in study.models)
    known = pl.all_horizontal(pl.lit(value=True), *(pl.col(margin_column(n)).is_not_null() for n in names))
    votes = study.votes.frame.filter(~pl.col("repeat")).join(
        main, on="comparison_id", how="inner", maintain_order="left"
    )
    kept = votes.filter(known)
    if kept.height < votes.height:
        warnings.warn(
            f"{count_of(votes.height - kept.height, 'vote')} of {votes.height:,} left out: on comparisons that a model has no verdict on",
            CharmWarning,
            stacklevel=2,
        )
    columns = [margin_column(n) for n in names]
    return Counted(
        _weighed(kept).select(
            "comparison_id", "prompt_id", "rater", *KEY[1:], "y", "decided", "weight", *columns
        ),
        everything.filter(known),
        names,
    )


def left_out_words(account: Mapping[str, Any]) -> str:
    """Of the comparisons that there could be, how many are no candidates, and why; empty where all are."""
    parts = [
        f"{account[reason]:,} ({_SAID.get(reason, reason)}{_whose(account) if reason == NO_VERDICT else ''})"
        for reason in account
        if reason not in _FIGURES and account[reason]
    ]
    if not parts:
        return ""
    some = account["candidate_prompts"] < account["prompts"]
    rest = (
        f"; what is left is on {account['candidate_prompts']:,} of {account['prompts']:,} prompts"
        if some
        else ""
    )
    left = f"of {account['possible']:,} possible comparisons, left out are {', '.join(parts)}{rest}"
    return ". ".join([left, *account.get(UNMATCHED, [])])


_FIGURES = ("possible", "prompts", "policies", "no_verdict_of", "candidates", "candidate_prompts", UNMATCHED)


def _whose(account: Mapping[str, Any]) -> str:
    return ": " + ", ".join(f"{name} {n:,}" for name, n in account["no_verdict_of"].items() if n)


def refuse_same_names(models: Sequence[StudyModel]) -> None:
    """Refuse two models of one name.

    Raises:
        ConfigError: there are two.
    """
    names = [model.name for model in models]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(
            f"two models are called {listing(twice)}",
            fix="give each its own name: NAME=PATH, NAME=COLUMN, or leave one out",
        )


def _margins(frame: pl.DataFrame, model: StudyModel) -> pl.Series:
    """(rows,) margins of one model, aligned with the comparisons."""
    if model.scores is not None:
        refuse_samples(model.scores)
        scores = model.scores.frame.select("prompt_id", "policy", "score")
        sides = [
            frame.join(
                scores,
                left_on=["prompt_id", side],
                right_on=["prompt_id", "policy"],
                how="left",
                maintain_order="left",
            )["score"]
            for side in ("policy_a", "policy_b")
        ]
        return sides[0] - sides[1]
    judged = turned(model.table.frame).rename({"policy": "policy_a", "reference": "policy_b"})
    return frame.join(judged, on=KEY, how="left", maintain_order="left")["margin"]


def _weighed(votes: pl.DataFrame) -> pl.DataFrame:
    """Votes with y, decided and weight."""
    return votes.with_columns(
        y=worth_of_vote(),
        decided=pl.col("winner").is_in(["a", "b"]),
        weight=weight_of_vote(),
    )
