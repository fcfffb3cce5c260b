"""Judging by Ray: actors answer the questions, and what they answered is put together as without Ray, nothing being asked again.

The pairs are planned over all responses, as ever. A task is some of them with the texts that they need; its answers lie in a store of
their own. In the end all stores are read as one, and the judge's place is taken by what it is called: the margins are those of a run
that found every answer known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .. import store
from ..extras import require
from ..judging import ChatJudge, JudgeRun, Prices, Template, run_judge
from ..judging.chat import Reply
from ..judging.costs import total_usage
from ..judging.requests import plan_requests
from ..judging.run import ask_judge
from ..memo import Memo
from ..protocols import PairwisePreference, Prompt
from ..settings import EngineSettings, JudgeSettings
from ..specs import load_judge
from ..style import calibrated, load_calibrator
from ..tables import Responses
from .answers import added_usage, remove_inputs, store_of_task, take_over
from .parts import Aside, refuse_lost
from .progress import task_bar
from .tasks import Work, run_tasks

_PAIR = ("prompt_id", "policy", "reference")


def judge_by_ray(
    responses: Responses,
    pairs: pl.DataFrame,
    settings: JudgeSettings,
    output: Path,
    *,
    engine: EngineSettings,
    memo: Path,
    template: Template | None = None,
    prices: Prices | None = None,
    progress: bool = True,
) -> JudgeRun:
    """Judge pairs as :func:`~charm_rm.judging.run_judge` does, the questions asked by actors.

    Args:
        responses: the texts.
        pairs: prompt_id, policy, reference.
        settings: the judge; each actor opens it once.
        output: where the margins will be written; finished tasks lie beside it until then.
        memo: a store of answers: those of actors go into it.
        template: of a generative judge, the prompt.

    Raises:
        StageFailed: some questions could not be asked; the answers to all others are kept.
        CharmError: as judging raises.
    """
    require("ray", extra="ray")
    options = settings.accepted_by(load_judge)
    options.pop("calibrator", None)  # what it adds is added to the whole
    with Aside.of(output) as aside:
        tasks = list(_tasks(responses, pairs, aside, memo, engine=engine))
        try:
            with task_bar("judging", len(tasks), done=0, show=progress) as tell:
                done, lost = run_tasks(Work(_open, options, _ask_part), tasks, engine, tell=tell)
        finally:
            remove_inputs(tasks, ("texts", "pairs"))
        with Memo.open(memo) as known:
            for task in tasks:
                take_over(task, known, done.get(task["number"]), run="judge")
            refuse_lost(lost, of=len(tasks))
            run = run_judge(
                _stand_in(done.values(), settings, template),
                responses,
                pairs,
                memo=known,
                missing=settings.missing,
                prices=prices,
                progress=False,
            )
    asked = sum(int(one["asked"]) for one in done.values())
    spent = added_usage(done.values())
    return replace(run, asked=asked, known=run.known + run.asked - asked, spent=spent)


def _tasks(
    responses: Responses, pairs: pl.DataFrame, aside: Aside, memo: Path, *, engine: EngineSettings
) -> Iterator[dict[str, Any]]:
    """Some prompts' pairs each, with the texts that they need in files of their own."""
    prompts = pairs["prompt_id"].unique(maintain_order=True)
    per_prompt = max(1, round(pairs.height / max(1, len(prompts))))
    size = max(1, engine.ray_rows // per_prompt)
    for number, start in enumerate(range(0, len(prompts), size)):
        some = pl.col("prompt_id").is_in(prompts[start : start + size].to_list())
        texts, asked = aside.folder / f"{number}-texts.parquet", aside.folder / f"{number}-pairs.parquet"
        store.save(Responses(responses.frame.filter(some)), texts, force=True)
        store.write_frame(pairs.filter(some).select(_PAIR), asked, force=True)
        yield {
            "number": number,
            "name": f"prompts {start + 1:,} to {min(start + size, len(prompts)):,}",
            "texts": str(texts),
            "pairs": str(asked),
            **store_of_task(aside, str(number), memo, engine),
        }


# --- in the actors ------------------------------------------------------------------------------


def _open(options: Mapping[str, Any]) -> PairwisePreference:
    return load_judge(**options)


def _ask_part(judge: PairwisePreference, task: Mapping[str, Any]) -> Mapping[str, Any]:
    """Ask what is not known; say what was asked, and who answered."""
    responses = store.load(Responses, task["texts"])
    plan = plan_requests(responses, store.read_frame(task["pairs"]), fingerprint=judge.fingerprint)
    with Memo.open(task["memo"]) as memo:
        _, asked = ask_judge(judge, plan.requests, memo, progress=False)
    known_by = judge.chat.fingerprint if isinstance(judge, ChatJudge) else judge.fingerprint
    return {
        "asked": len(asked),
        "spent": asdict(total_usage(asked.values())),
        "keys": list(plan.requests) if task["memo_goes"] else [],
        "judge": {"source": judge.source, "fingerprint": known_by},
    }


# --- the whole ----------------------------------------------------------------------------------


def _stand_in(done: Iterable[Mapping[str, Any]], settings: JudgeSettings, template: Template | None) -> Any:
    """What has the judge's name and fingerprint, and no answers of its own: all that there are lie in the store."""
    about = next(iter(done))["judge"]
    found: Any = _Silent(about["source"], about["fingerprint"])
    if template is not None:
        found = ChatJudge(found, template)
    return found if settings.calibrator is None else calibrated(found, load_calibrator(settings.calibrator))


@dataclass(frozen=True)
class _Silent:
    """A judge, or what one chats with, whose every call fails."""

    source: str
    fingerprint: str
    streams: bool = True

    def replies(self, conversations: Sequence[Any], **_options: Any) -> Iterator[tuple[int, Reply]]:
        """No answers."""
        return ((i, Reply("", finish="error")) for i in range(len(conversations)))

    def __call__(
        self, prompts: Sequence[Prompt], _first: Sequence[str], _second: Sequence[str]
    ) -> NDArray[np.float64]:
        """No verdicts."""
        return np.full(len(prompts), np.nan)
