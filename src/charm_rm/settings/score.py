"""Settings of scoring."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import BadSetting
from .definition import setting
from .table import TableSettings


@dataclass(frozen=True, kw_only=True)
class ScoreSettings(TableSettings):
    """Score the responses, or take scores or judgements made elsewhere."""

    scores: str | None = setting(
        None, "Scores made elsewhere (prompt_id, policy, score), instead of an rm.", path="path"
    )
    judgements: str | None = setting(
        None,
        "Judgements made elsewhere, instead of an rm: margins, or a file or folder of AlpacaEval, Arena-Hard, MT-Bench pairs ...",
        path="path",
    )
    annotator: str | None = setting(
        None,
        "Judgements: whose, where the file or folder holds several judges (of Inspect's logs the scorer, of promptfoo's results a "
        "metric).",
        flags=("--judge", "--annotator"),
        metavar="NAME",
    )
    baseline: str | None = setting(
        None,
        "Judgements: the model that all others met, where the file does not name it (Arena-Hard v0.1, leaderboards).",
        metavar="POLICY",
    )
    token_budget: int | None = setting(
        None,
        "Tokens per batch, padding included (default: a sane number); lower it when memory runs out.",
        least=1,
    )
    unchecked: bool = setting(False, "Score even what a quick look by the doctor finds unsound.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scores is not None and self.judgements is not None:
            raise BadSetting(
                "give either scores or judgements, not both",
                setting="judgements",
                fix="leave out one of them",
            )
