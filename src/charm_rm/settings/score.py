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
        "Judgements: which judge, where the file or folder has several (in Inspect logs the scorer, in promptfoo results a "
        "metric).",
        flags=("--judge", "--annotator"),
        metavar="NAME",
    )
    baseline: str | None = setting(
        None,
        "Judgements: the model that all others were compared with, where the file does not name it (Arena-Hard v0.1, leaderboards).",
        metavar="POLICY",
    )
    token_budget: int | None = setting(
        None,
        "Tokens per batch, padding included (default: chosen for the model); lower it if memory runs out.",
        least=1,
    )
    unchecked: bool = setting(False, "Score even if the quick check finds that scores would be wrong.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scores is not None and self.judgements is not None:
            raise BadSetting(
                "give either scores or judgements, not both",
                setting="judgements",
                fix="leave out one of them",
            )
