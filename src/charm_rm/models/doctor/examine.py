"""The examination: opens the model, puts every question to it, and collects the answers."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ...errors import CharmError, ModelError
from ...protocols import ScalarReward
from ...provenance import source_name
from ...responses import ResponsesLike, as_responses
from ...style import Calibrator, load_calibrator, uncalibrated
from ...tables import Responses
from ..loading.opening import open_model
from ..scoring.reward import RewardModel, load_reward_model
from ..scoring.unknown import refuse_unknown
from .calibration import check_calibration
from .check import Check, in_order
from .diagnosis import Diagnosis
from .drift import (
    ALONE,
    PLANS,
    Drift,
    FloatArray,
    Tell,
    Texts,
    attention_of,
    attention_rows,
    by_budget,
    by_size,
    choose_pairs,
    copied,
    drift_rows,
    in_precision,
    score_rows,
)
from .head import check_head, check_outputs
from .known import check_registry
from .parity import check_parity
from .pooling import pooling_checks
from .sample import built_in
from .switches import across_switches, known_switches
from .template import template_checks
from .tokens import check_pad, check_special_text, check_unknown
from .truncation import check_length, length_checks
from .verdicts import check_attention, check_batching, check_determinism, check_precision, check_spread

# Rows whose length is looked at, and responses to one prompt that are scored, at most.
_READ, _PER_PROMPT = 2000, 4
_PRECISIONS = ("bfloat16", "float16")


def diagnose(
    rm: str | os.PathLike[str] | RewardModel,
    responses: ResponsesLike | None = None,
    *,
    n: int = 64,
    dtypes: Sequence[str] = (),
    device: str = "auto",
    max_length: int | None = None,
    trust_remote_code: bool = False,
    reward: str | None = None,
    temperature: float = 1.0,
    calibrator: Calibrator | str | os.PathLike[str] | None = None,
    against: ScalarReward | None = None,
    quick: bool = False,
    seed: int = 0,
    tell: Tell = lambda _step: None,
) -> Diagnosis:
    """Examine a reward model.

    Args:
        rm: folder or hub id; or a model loaded in float32, which then cannot be loaded anew.
        responses: what it is to score; None: a small built-in set.
        n: responses that are scored, whole prompts together as far as they go; lengths are read of 2,000.
        dtypes: precisions that are to be used, examined in all ways of batching and failing where they overflow;
            none named: bfloat16 and float16 are tried in two ways, and overflow is a warning.
        device, max_length, trust_remote_code, reward: as :func:`~charm_rm.models.load_reward_model` takes them.
        temperature: what margins will be divided by (``--temperature`` of the other verbs).
        calibrator: of this model, or its file: whether the two belong together, and what it does to these responses.
        against: the same model in another engine or behind a server: whether it gives the same scores, and if not, what differs.
        quick: leave out all that takes more than a few forward passes.
        tell: called with each step's name as it begins.

    Raises:
        ModelError: there is no such model.
        ConfigError: a setting cannot be used.
        SchemaError: the calibrator's file is none.
    """
    responses = None if responses is None else as_responses(responses)
    known = load_calibrator(Path(calibrator)) if isinstance(calibrator, str | os.PathLike) else calibrator
    tell("loading the model")
    loading: dict[str, Any] = {
        "device": device,
        "max_length": max_length,
        "trust_remote_code": trust_remote_code,
        "reward": reward,
    }
    try:
        model = rm if isinstance(rm, RewardModel) else load_reward_model(rm, **loading)
    except ModelError as error:
        return _unopened(rm, error, trust_remote_code=trust_remote_code)
    table = built_in() if responses is None else responses
    tell("template, tokens, head")
    checks = quick_checks(model)
    if any(c.id == "template" and c.status == "fail" for c in checks):
        return _collected(model, checks, (), table, {})
    tell("lengths")
    frame = _sample_rows(table.frame, _READ, per_prompt=None, seed=seed)
    texts = frame["response"].to_list()
    checks += [check_special_text(model, texts), *length_checks(model, frame)]
    checks.append(check_unknown(model, texts, ours=responses is None))
    if known is not None:
        tell("calibrator")
        checks.append(check_calibration(model, known, frame))
    drift: list[Drift] = []
    scored = _sample_rows(table.frame, n, per_prompt=_PER_PROMPT, seed=seed)
    if against is not None:
        tell(f"{source_name(against.source)}: the same responses there")
        checks.append(_compared(model, against, scored))
    if not quick:
        fresh = None if isinstance(rm, RewardModel) else partial(load_reward_model, rm, **loading)
        exam = Examination(model, scored, fresh, temperature, tuple(dtypes), seed, tell)
        more, drift = exam.run()
        checks = _explained([*checks, *more])
    settings = {
        "n": scored.height,
        "dtypes": list(dtypes),
        "temperature": temperature,
        "calibrator": None if known is None else known.fingerprint,
        **({} if against is None else {"against": source_name(against.source)}),
        "quick": quick,
        "seed": seed,
    }
    return _collected(model, checks, drift, table, settings)


def _compared(model: RewardModel, against: ScalarReward, frame: pl.DataFrame) -> Check:
    """Whether both give these responses the same scores."""
    prompts, responses = frame["prompt"].to_list(), frame["response"].to_list()
    here, there = (np.asarray(one(prompts, responses), dtype=np.float64) for one in (model, against))
    return check_parity(here, there, responses, name=source_name(against.source))


def quick_checks(model: RewardModel) -> list[Check]:
    """Template, tokens, head and padding: four forward passes of a few short rows."""
    checks = [check_head(model), check_outputs(model), check_registry(model), *template_checks(model)]
    if any(c.id == "template" and c.status == "fail" for c in checks):
        return checks
    return [*checks, check_pad(model), *pooling_checks(model), check_unknown(model), check_length(model)]


def refuse_unsound(model: ScalarReward, texts: Sequence[str] = ()) -> None:
    """Raise where :func:`quick_checks` finds what would make scores wrong, or too many tokens of ``texts`` are unknown.

    Models without a head of their own pass the checks, those without a tokenizer here (servers, functions) all.

    Raises:
        ModelError: names the failing checks, what they found, and how to fix it.
    """
    model, _ = uncalibrated(model)
    refuse_unknown(model, texts, where=model.source)
    if not isinstance(model, RewardModel):  # there is no head, padding or pooling to look into
        return
    failing = [check for check in quick_checks(model) if check.status == "fail"]
    if failing:
        raise ModelError(
            "its scores would be wrong: " + "; ".join(f"{c.title}: {c.found}" for c in failing),
            where=model.source,
            fix="; ".join(c.fix for c in failing if c.fix) + "; `charm doctor` tells more",
        )


@dataclass(frozen=True, eq=False)
class Examination:
    """The part that scores: the same texts in every way that should make no difference.

    ``fresh`` loads the model anew, given a ``dtype`` in that; None where it was handed over loaded.
    """

    model: RewardModel
    frame: pl.DataFrame
    fresh: Callable[..., RewardModel] | None
    temperature: float
    dtypes: tuple[str, ...]
    seed: int
    tell: Tell

    def run(self) -> tuple[list[Check], list[Drift]]:
        """Checks of batching, attention, determinism, spread and precision, and the rows behind them."""
        model, texts = self.model, self._texts()
        self.tell(f"float32, {len(texts.rows)} responses one at a time: the yardstick")
        reference = score_rows(model, texts.rows, ALONE[1])
        margins = reference[texts.pairs[:, 0]] - reference[texts.pairs[:, 1]]
        plain = drift_rows(model, texts, reference, plans=PLANS, dtype="float32", tell=self.tell)
        self.tell("attention")
        other = list(attention_rows(model, texts, reference))
        checks = [
            check_spread(reference, margins, temperature=self.temperature),
            check_batching(
                plain, sd=float(np.std(reference)), side=model.padding_side, switches=known_switches(model)
            ),
            check_attention(other, used=attention_of(model)),
            self._determinism(texts),
        ]
        drift = [*plain, *other]
        for dtype in self.dtypes or _PRECISIONS:
            rows = self._precision(dtype, texts, reference)
            checks.append(check_precision(rows, dtype, side=model.padding_side, chosen=dtype in self.dtypes))
            drift += rows
        return checks, drift

    def _texts(self) -> Texts:
        encode = self.model.encoder.encode
        texts = list(self.frame.select("prompt", "response").iter_rows())
        rows = [encode(p, r) for p, r in texts]
        rows += across_switches(self.model, texts, rows)
        return Texts(rows, choose_pairs(self.frame["prompt_id"].to_list(), rows, seed=self.seed))

    def _determinism(self, texts: Texts) -> Check:
        self.tell("the same batch twice")
        rows, plan = texts.rows[:8], by_size(8)
        first, again = (score_rows(self.model, rows, plan) for _ in range(2))
        fresh = None if self.fresh is None else score_rows(self.fresh(), rows, plan)
        return check_determinism(first, again, fresh)

    def _precision(self, dtype: str, texts: Texts, reference: FloatArray) -> list[Drift]:
        gc.collect()
        model = self._loaded_in(dtype)
        used = ("as scoring does", by_budget(model.token_budget))
        plans = (ALONE, *PLANS) if dtype in self.dtypes else (ALONE, used)
        return drift_rows(model, texts, reference, plans=plans, dtype=dtype, tell=self.tell)

    def _loaded_in(self, dtype: str) -> RewardModel:
        return in_precision(copied(self.model), dtype) if self.fresh is None else self.fresh(dtype=dtype)


def _sample_rows(frame: pl.DataFrame, n: int, *, per_prompt: int | None, seed: int) -> pl.DataFrame:
    """About ``n`` rows, prompt by prompt in random order, ``per_prompt`` rows of each at most."""
    rng = np.random.default_rng(seed)
    mixed = frame.sort("prompt_id", "policy")[rng.permutation(frame.height)]
    if per_prompt is not None:
        mixed = mixed.group_by("prompt_id", maintain_order=True).head(per_prompt)
    order = {name: i for i, name in enumerate(mixed["prompt_id"].unique(maintain_order=True))}
    place = mixed["prompt_id"].replace_strict(order, return_dtype=pl.Int64)
    return (
        mixed.with_columns(place.alias("_place")).sort("_place", maintain_order=True).drop("_place").head(n)
    )


# --- details ------------------------------------------------------------------------------------


def _unopened(rm: Any, error: ModelError, *, trust_remote_code: bool) -> Diagnosis:
    """A model that scoring refuses: a missing head has its own name; what is no model at all is raised."""
    try:
        opened = open_model(rm, trust_remote_code=trust_remote_code, new_head_seed=0)
    except CharmError:
        opened = None
    if opened is None and not Path(rm).is_dir():
        raise error
    name = "head" if opened is not None and opened.has_new_head else "loads"
    return Diagnosis(os.fspath(rm), (Check(name, "fail", error.what, fix=error.fix),))


def _explained(checks: Sequence[Check]) -> list[Check]:
    """Take back what another failing check explains, so that one fault is one failure."""
    by_id = {check.id: check for check in checks}
    causes = {
        "spread": ("head",),
        "batching": ("padding", "determinism"),
        **dict.fromkeys(("attention", *_PRECISIONS), ("padding", "batching", "determinism")),
    }
    for name, reasons in causes.items():
        because = [r for r in reasons if r in by_id and by_id[r].status == "fail"]
        if name in by_id and by_id[name].status in ("warn", "fail") and because:
            check = by_id[name]
            found = f"follows from '{by_id[because[0]].title}': {check.found}"
            by_id[name] = Check(name, "skipped", found, data=check.data)
    return list(by_id.values())


def _collected(
    model: RewardModel,
    checks: Sequence[Check],
    drift: Sequence[Drift],
    table: Responses,
    settings: dict[str, Any],
) -> Diagnosis:
    provenance = {
        "verb": "diagnose",
        "rm": source_name(model.source),
        "rm_fingerprint": model.fingerprint,
        "layout": model.encoder.layout,
        "max_length": model.encoder.max_length,
        "attention": attention_of(model),
        "device": model.device,
        "responses": dict(table.provenance),
        **settings,
    }
    return Diagnosis(model.source, in_order(checks), tuple(drift), provenance)
