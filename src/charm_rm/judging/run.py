"""Judging pairs of responses: always in both orders, every answer kept the moment it comes."""

from __future__ import annotations

import math
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from ..errors import CharmWarning, ConfigError, ModelError, NotIdentifiable, counted, verb
from ..memo import Memo, in_portions
from ..protocols import PairwisePreference
from ..provenance import source_name
from ..responses import ResponsesLike, as_responses
from ..style import apply_calibrator, uncalibrated
from ..tables import Margins, Responses, TableLike, as_frame
from .averaging import PREFERENCE_BOUND, Missing, margins_table
from .bias import PositionBias, measure_position_bias
from .costs import Prices, Usage, total_usage
from .judge import ChatJudge
from .requests import Request, RequestPlan, plan_requests
from .verdicts import Verdict

# Questions per batch for judges that answer in batches: what a kill loses at most.
BLOCK = 64
# With a larger share of answers without a verdict, what is left is a selection.
FEW_VERDICTS = 0.5


@dataclass(frozen=True, eq=False)
class JudgeRun:
    """``margins`` and what this run took: ``asked`` questions now, ``known`` from the store, tokens ``spent`` now.

    ``bias`` is None where every pair is a tie of equal texts. ``cut`` are the pairs (prompt_id, policy, reference) of which the judge saw
    texts shortened in either order.
    """

    margins: Margins
    asked: int
    known: int
    spent: Usage
    bias: PositionBias | None
    cut: frozenset[tuple[str, str, str]] = frozenset()


def judge_responses(
    judge: PairwisePreference,
    responses: ResponsesLike,
    pairs: TableLike,
    *,
    memo: Memo | None = None,
    missing: Missing = "drop",
    prices: Prices | None = None,
    progress: bool = True,
) -> Margins:
    """Judge ``pairs`` of responses; :func:`run_judge` tells more about the run."""
    responses, pairs = as_responses(responses), as_frame(pairs, noun="pairs")
    run = run_judge(judge, responses, pairs, memo=memo, missing=missing, prices=prices, progress=progress)
    return run.margins


def run_judge(
    judge: PairwisePreference,
    responses: Responses,
    pairs: pl.DataFrame,
    *,
    memo: Memo | None = None,
    missing: Missing = "drop",
    prices: Prices | None = None,
    progress: bool = True,
) -> JudgeRun:
    """Ask about every pair in both orders; what ``memo`` knows is not asked again, what it does not is kept there.

    Args:
        judge: any :class:`~charm_rm.protocols.PairwisePreference`; of a calibrated one the judge's own answers are kept, and the margins
            moved afterwards. Where it has ``iterate`` (a :class:`~.judge.ChatJudge`), each
            answer is kept as it comes; others are asked in batches of :data:`BLOCK`.
        responses: the texts.
        pairs: prompt_id, policy, reference, as :func:`~.pairs.plan_pairs` gives them.
        memo: where answers are kept; None: in memory, for this run.
        missing: pairs with no verdict in one order: ``drop`` them, ``keep`` them with the other order alone, or ``fail``.
            Without any verdict they are dropped, or fail.
        prices: money per million tokens.
        progress: show a bar on standard error.

    Raises:
        ModelError: no verdict at all, a missing one under ``fail``, or a judge that answers out of its range.
        CharmWarning: (as a warning) verdicts are missing, or few there are at all; texts were shortened.
    """
    if missing not in ("drop", "keep", "fail"):
        raise ConfigError(f"missing {missing!r} is unknown", fix="use drop, keep or fail")
    judge, calibrator = uncalibrated(judge)
    plan = plan_requests(responses, pairs, fingerprint=judge.fingerprint)
    with _opened(memo) as store:
        known, asked = ask_judge(judge, plan.requests, store, progress=progress)
    verdicts = known | asked
    _warn(verdicts.values(), judge)
    if verdicts and all(math.isnan(v.p_first) for v in verdicts.values()):
        raise _never_a_verdict(len(verdicts), judge)
    table, counts = margins_table(pairs, plan, verdicts, missing=missing)
    if table.height == 0 or (missing == "fail" and counts["dropped"]):
        raise _no_verdict(counts, judge)
    margins = Margins(table)
    bias = _bias(margins)
    provenance = _provenance(judge, verdicts, prices) | {
        "pairs": {"planned": pairs.height, "equal_texts": plan.equal_texts, "missing": missing} | counts,
        "position_bias": None if bias is None else bias.to_json(),
        "responses": dict(responses.provenance),
    }
    spent = total_usage(asked.values())
    margins = Margins(margins.frame, provenance=provenance)
    if calibrator is not None:
        margins = apply_calibrator(margins, calibrator, responses)
    return JudgeRun(margins, len(asked), len(known), spent, bias, _cut(pairs, plan, verdicts))


# --- asking -------------------------------------------------------------------------------------


@contextmanager
def _opened(memo: Memo | None) -> Iterator[Memo]:
    if memo is not None:
        yield memo
        return
    with Memo.open(None) as fresh:
        yield fresh


def ask_judge(
    judge: PairwisePreference, requests: Mapping[str, Request], memo: Memo, *, progress: bool
) -> tuple[dict[str, Verdict], dict[str, Verdict]]:
    """Put questions to a judge, but for those that ``memo`` knows: verdicts that were known, and those asked for now, by key.

    Raises:
        ModelError: the judge left questions unanswered, or answers out of its range.
    """
    known = {key: Verdict.from_json(entry.value) for key, entry in memo.lookup(requests).items()}
    asked: dict[str, Verdict] = {}
    with _bar(len(requests), done=len(known), show=progress) as advance:
        for block in _blocks(list(requests), judge):
            wanted = [key for key in block if key not in known]
            for verdicts in _answers(judge, wanted, requests):
                # A call that failed was not answered: the next run asks again.
                answered = {key: v.to_json() for key, v in verdicts.items() if v.how != "failed"}
                memo.add(answered, run="judge")
                asked |= verdicts
                advance(len(verdicts))
    if lost := len(requests) - len(known) - len(asked):
        raise ModelError(
            f"the judge left {lost} questions unanswered",
            where=judge.source,
            fix="run again: answers so far are kept",
        )
    return known, asked


def _blocks(keys: list[str], judge: PairwisePreference) -> Iterator[list[str]]:
    """All questions at once for a judge that streams; else the same blocks whatever is known already."""
    size = max(1, len(keys)) if _streams(judge) else BLOCK
    return (keys[start : start + size] for start in range(0, len(keys), size))


def _streams(judge: PairwisePreference) -> bool:
    return hasattr(judge, "iterate") and bool(getattr(judge, "streams", True))


def _answers(
    judge: PairwisePreference, keys: list[str], requests: Mapping[str, Request]
) -> Iterator[dict[str, Verdict]]:
    """Verdicts by key, in portions to be kept at once."""
    if not keys:
        return
    prompts, first, second = (list(column) for column in zip(*(requests[k] for k in keys), strict=True))
    iterate = getattr(judge, "iterate", None)
    if iterate is None:
        yield dict(zip(keys, _plain_verdicts(judge, prompts, first, second), strict=True))
        return
    answers = iterate(prompts, first, second)
    yield from in_portions(keys, answers, one_by_one=_streams(judge))


def _plain_verdicts(
    judge: PairwisePreference, prompts: list[Any], first: list[str], second: list[str]
) -> Iterator[Verdict]:
    preferences = np.asarray(judge(prompts, first, second), dtype=np.float64)
    if preferences.shape != (len(prompts),):
        raise ModelError(
            f"the judge answered {len(prompts)} pairs with an array of shape {preferences.shape}",
            where=judge.source,
            fix="return one number per pair, in the order of the pairs",
        )
    if ((preferences < 0) | (preferences > 1)).any():
        bad = preferences[(preferences < 0) | (preferences > 1)][0]
        raise ModelError(
            f"the judge gave {bad:g}, which is not a probability",
            where=judge.source,
            fix="answer in [0, 1], NaN for none",
        )
    return (Verdict(float(p), "unread" if math.isnan(p) else "model") for p in preferences)


@contextmanager
def _bar(total: int, *, done: int, show: bool) -> Iterator[Callable[[int], None]]:
    """A bar that counts answers, with speed and time left; yields the function that advances it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("judging"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
        disable=not show or done == total,
    )
    with bar:
        task = bar.add_task("judging", total=total, completed=done)
        yield lambda answers: bar.advance(task, answers)


# --- the result ------------------------------------------------------------------------


def _cut(
    pairs: pl.DataFrame, plan: RequestPlan, verdicts: Mapping[str, Verdict]
) -> frozenset[tuple[str, str, str]]:
    rows = pairs.select("prompt_id", "policy", "reference").iter_rows()
    return frozenset(
        (row[0], row[1], row[2])
        for row, keys in zip(rows, plan.keys, strict=True)
        if keys is not None and any(verdicts[key].truncated for key in keys)
    )


def _bias(margins: Margins) -> PositionBias | None:
    try:
        return measure_position_bias(margins)
    except NotIdentifiable:
        return None


def _warn(verdicts: Iterable[Verdict], judge: PairwisePreference) -> None:
    verdicts = list(verdicts)
    empty = [v for v in verdicts if math.isnan(v.p_first)]
    refused, failed = (sum(v.how == how for v in empty) for how in ("refused", "failed"))
    if empty:
        example = next((v.answer for v in empty if v.answer), None)
        said = f", for example: {example!r}" if example else ""
        few = len(empty) > FEW_VERDICTS * len(verdicts)
        warnings.warn(
            f"{judge.source}: {len(empty)} of {len(verdicts)} answers held no verdict ({refused} refused, {failed} calls failed){said}"
            + (
                ". The pairs that it decided may not be representative: check its prompt first" if few else ""
            ),
            CharmWarning,
            stacklevel=3,
        )
    if cut := sum(v.truncated for v in verdicts):
        warnings.warn(
            f"{judge.source}: {cut} of {len(verdicts)} questions were too long and asked with shortened texts",
            CharmWarning,
            stacklevel=3,
        )


def _never_a_verdict(asked: int, judge: PairwisePreference) -> ModelError:
    return ModelError(
        f"not one of {asked} answers held a verdict",
        where=judge.source,
        fix="look at the judge's answers and its prompt (--prompt), and at the key or server where calls failed",
    )


def _no_verdict(counts: Mapping[str, int], judge: PairwisePreference) -> ModelError:
    return ModelError(
        f"{counted(counts['dropped'], 'pair')} {verb(counts['dropped'], 'lacks', 'lack')} a verdict in one order or both",
        where=judge.source,
        fix="look at the judge's answers and its prompt (--prompt), or leave such pairs out (--missing drop)",
    )


def _provenance(
    judge: PairwisePreference, verdicts: Mapping[str, Verdict], prices: Prices | None
) -> dict[str, Any]:
    """What does not depend on how much of it was known before: the same for a run that was killed and went on."""
    template = judge.template if isinstance(judge, ChatJudge) else None
    usage = total_usage(verdicts.values())
    masses = [v.mass for v in verdicts.values() if v.mass is not None]
    return {
        "verb": "judge_responses",
        "judge": source_name(judge.source),
        "judge_fingerprint": judge.fingerprint,
        "prompt": None if template is None else template.name,
        "prompt_fingerprint": None if template is None else template.fingerprint,
        "orders": "both",
        "preference_bound": PREFERENCE_BOUND,
        "answers": dict(sorted(Counter(v.how for v in verdicts.values()).items())),
        "mean_label_mass": math.fsum(masses) / len(masses) if masses else None,
        "truncated": sum(v.truncated for v in verdicts.values()),
        "usage": asdict(usage),
        "prices": None if prices is None else asdict(prices),
        "cost": usage.cost(prices),
    }
