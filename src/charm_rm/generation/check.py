"""Responses looked over before anyone scores them: what is missing, empty, cut off, refused, said twice, the same as another policy's."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ..conversations import prompt_hash
from ..errors import NoOverlap
from ..tables import Responses
from .marks import CUT_OFF, EMPTY, refusals

COUNTS = ("missing", "empty", "cut_off", "refused", "duplicated", "identical")


@dataclass(frozen=True, eq=False)
class ResponseCheck:
    """``policies``: a row each with counts; ``findings``: every response or gap that was counted; ``identical``: pairs of policies;
    ``others``: answers to other prompts than those asked about, which are no part of the counts.

    Columns of ``policies``: policy, prompts (how many were to be answered), answers, and :data:`COUNTS`. ``cut_off`` is null where
    the responses have no ``finish_reason``. ``findings``: policy, prompt_id, sample, finding. ``identical``: policy, other, both (prompts
    that both answered), same, share.
    """

    policies: pl.DataFrame
    findings: pl.DataFrame
    identical: pl.DataFrame
    prompts: int
    others: int = 0

    @property
    def total(self) -> dict[str, int | None]:
        """Each count over all policies; None where no policy tells."""
        sums = self.policies.select(pl.col(c).sum() for c in COUNTS).row(0, named=True)
        unknown = self.policies["cut_off"].null_count() == self.policies.height
        return {name: None if name == "cut_off" and unknown else int(value) for name, value in sums.items()}


def check_responses(responses: Responses, *, prompts: pl.DataFrame | None = None) -> ResponseCheck:
    """Count what spoils responses.

    missing: a prompt that the policy has no answer to, and each sample by which one has fewer than the policy's others. empty: no text, or white space. cut off: ended at the limit of tokens.
    refused: opens with a refusal or an apology (English phrases), or the server says so. duplicated: the policy gives the very same
    text to another prompt. identical: another policy gives the very same text to the same prompt. Empty ones are no part of the last two.

    Args:
        responses: what the policies answered.
        prompts: prompt_id and prompt of all that should have been answered; None: all that any policy answered.

    Raises:
        NoOverlap: none of the responses is to one of the prompts.
    """
    frame = _marked(responses.frame)
    wanted = _wanted(frame, prompts)
    answered = frame.height
    frame = frame.filter(pl.col("_prompt").is_in(wanted["_prompt"].to_list()))
    if not frame.height:
        raise NoOverlap(
            "none of the responses is to one of the prompts",
            fix="check that the prompts are the same, word for word",
        )
    missing = _missing(frame, wanted, sorted(responses.frame["policy"].unique().to_list()))
    findings = pl.concat([missing, *(_found(frame, name) for name in COUNTS[1:])], how="vertical").sort(
        "policy", "finding", "prompt_id", "sample", maintain_order=True
    )
    return ResponseCheck(
        _counts(frame, findings, wanted.height),
        findings,
        _pairs(frame),
        wanted.height,
        answered - frame.height,
    )


# --- details ------------------------------------------------------------------------------------


def _hashes(frame: pl.DataFrame) -> pl.Series:
    return pl.Series("_prompt", [prompt_hash(p) for p in frame["prompt"].to_list()], dtype=pl.String)


def _marked(frame: pl.DataFrame) -> pl.DataFrame:
    """With a column of truths for every finding but ``missing``."""
    sample = pl.col("sample").cast(pl.Int64) if "sample" in frame.columns else pl.lit(0, pl.Int64)
    known = "finish_reason" in frame.columns
    cut = pl.col("finish_reason").cast(pl.String) == CUT_OFF if known else pl.lit(None, pl.Boolean)
    text = pl.col("response").str.strip_chars()
    frame = frame.with_columns(
        _hashes(frame), sample.alias("sample"), EMPTY.alias("empty"), cut.alias("cut_off"),
        refusals(frame).alias("refused"), text.alias("_text"),
    )  # fmt: skip
    others = pl.col("_prompt").n_unique().over("policy", "_text") > 1
    same = pl.col("policy").n_unique().over("_prompt", "_text") > 1
    return frame.with_columns(
        (others & ~pl.col("empty")).alias("duplicated"), (same & ~pl.col("empty")).alias("identical")
    )


def _wanted(frame: pl.DataFrame, prompts: pl.DataFrame | None) -> pl.DataFrame:
    """The prompts to be answered, once each: _prompt, prompt_id."""
    given = frame if prompts is None else prompts.with_columns(_hashes(prompts))
    return given.unique("_prompt", keep="first", maintain_order=True).select("_prompt", "prompt_id")


def _missing(frame: pl.DataFrame, wanted: pl.DataFrame, policies: list[str]) -> pl.DataFrame:
    """A row for each prompt without an answer, and for each sample that a prompt has less than the policy's most."""
    there = frame.group_by("policy", "_prompt").len("n")
    every = pl.DataFrame({"policy": policies}).join(wanted, how="cross")
    every = every.join(there, on=["policy", "_prompt"], how="left", maintain_order="left")
    short = (pl.col("n").max().over("policy") - pl.col("n")).fill_null(1)
    gaps = every.select("policy", "prompt_id", pl.lit(0).repeat_by(short).alias("gaps")).explode("gaps")
    return gaps.drop_nulls("gaps").select(
        "policy", "prompt_id", pl.lit(None, pl.Int64).alias("sample"), pl.lit("missing").alias("finding")
    )


def _found(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    rows = frame.filter(pl.col(name).fill_null(False))
    return rows.select("policy", "prompt_id", "sample", pl.lit(name).alias("finding"))


def _counts(frame: pl.DataFrame, findings: pl.DataFrame, n_prompts: int) -> pl.DataFrame:
    told = frame.group_by("policy").agg(
        pl.len().alias("answers"), pl.col("cut_off").is_not_null().any().alias("_told")
    )
    policies = pl.concat([frame.select("policy"), findings.select("policy")]).unique().sort("policy")
    counted = findings.group_by("policy").agg(
        (pl.col("finding") == name).sum().alias(name) for name in COUNTS
    )
    table = policies.join(told, on="policy", how="left").join(counted, on="policy", how="left")
    return table.select(
        "policy",
        pl.lit(n_prompts, pl.Int64).alias("prompts"),
        pl.col("answers").fill_null(0).cast(pl.Int64),
        *(
            (
                pl.when(pl.col("_told")).then(pl.col(name).fill_null(0))
                if name == "cut_off"
                else pl.col(name).fill_null(0)
            )
            .cast(pl.Int64)
            .alias(name)
            for name in COUNTS
        ),
    )


def _pairs(frame: pl.DataFrame) -> pl.DataFrame:
    """Pairs of policies with any text in common on a prompt: how many of the prompts that both answered."""
    texts = frame.filter(~pl.col("empty")).select("policy", "_prompt", "_text").unique()
    asked = frame.select("policy", "_prompt").unique()
    same = (
        _paired(texts, ["_prompt", "_text"])
        .unique()
        .group_by("policy", "other")
        .agg(pl.col("_prompt").n_unique().alias("same"))
    )
    both = asked.filter(pl.col("policy").is_in([*same["policy"], *same["other"]]))
    both = _paired(both, ["_prompt"]).group_by("policy", "other").agg(pl.len().alias("both"))
    return (
        same.join(both, on=["policy", "other"])
        .select("policy", "other", "both", "same", (pl.col("same") / pl.col("both")).alias("share"))
        .sort("share", "policy", "other", descending=[True, False, False])
    )


def _paired(frame: pl.DataFrame, on: list[str]) -> pl.DataFrame:
    """Rows of two policies that agree ``on`` columns; each pair once."""
    other = frame.rename({"policy": "other"})
    return frame.join(other, on=on).filter(pl.col("policy") < pl.col("other"))
