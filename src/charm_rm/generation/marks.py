"""What is marked of an answer before anyone scores it: empty, a refusal, cut off."""

from __future__ import annotations

import polars as pl

from ..features import FEATURES, measure

CUT_OFF = "length"
EMPTY = pl.col("response").str.strip_chars() == ""
MARKS = ("empty", "cut_off", "refused")


def refusals(frame: pl.DataFrame) -> pl.Series:
    """Which responses open with a refusal or an apology: the feature ``refusal`` (English phrases), or the server's own word."""
    by_phrase = (
        measure(frame["prompt"].to_list(), frame["response"].to_list(), features=["refusal"])[:, 0] > 0
    )
    said = pl.Series("refusal", by_phrase, dtype=pl.Boolean)
    if "finish_reason" in frame.columns:
        told = frame["finish_reason"].cast(pl.String).is_in(["refusal", "content_filter"]).fill_null(False)
        said = said | told
    return said.alias("refusal")


def refusal_rule() -> str:
    """The rule by name and version: its numbers change where the phrases do."""
    return f"feature refusal, version {FEATURES['refusal'].version}"


def with_marks(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with ``empty`` and ``refusal``."""
    return frame.with_columns(EMPTY.alias("empty"), refusals(frame))


def count_marks(frame: pl.DataFrame) -> dict[str, int | None]:
    """How many answers are empty, cut off at the limit (None: no answer says how it ended), refused."""
    ends = frame["finish_reason"]
    unknown = ends.null_count() == frame.height
    return {
        "answers": frame.height,
        "empty": int(frame["empty"].sum()),
        "cut_off": None if unknown else int((ends == CUT_OFF).sum()),
        "refused": int(frame["refusal"].sum()),
    }
