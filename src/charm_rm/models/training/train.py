"""Preferences + reward model -> a fine-tuned reward model, by TRL's RewardTrainer.

The output folder appears whole or not at all. Until then everything lies in a work folder beside it
(``.OUTPUT.training``), where ``resume`` finds the last whole checkpoint after a kill. Of several processes that train together
(:mod:`.processes`) the first writes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import store
from ...errors import NotConverged, SchemaError
from ...folders import refuse_folder, replacing_directory
from ...preferences import PreferencesLike, any_preferences, prompt_key
from ...provenance import Manifest, source_name, versions
from ...tables import Preferences
from ..extras import require
from ..loading.lineage import anchored_on
from .anchors import Anchor, AnchorPlan, plan_anchor
from .card import write_card
from .labels import with_labels
from .processes import by_the_first, join_processes, refuse_together
from .settings import HeldOut, TrainResult, TrainSettings
from .work import Work, opened_work

if TYPE_CHECKING:
    from .base import Base
    from .pairs import EncodedPairs
    from .trainer import PairTrainer

PACKAGES = ("charm-rm", "torch", "transformers", "trl", "peft", "accelerate", "datasets")
# What Trainer and TRL count from the moment in which this process began, or sum up at its end.
_OF_ONE_RUN = frozenset(
    {
        *("num_tokens", "total_flos", "train_loss", "train_runtime"),
        *("train_samples_per_second", "train_steps_per_second"),
    }
)
_EXTRAS = ("torch", "transformers", "trl", "peft", "datasets")


def train_reward_model(
    preferences: PreferencesLike,
    rm: str | Path,
    output: str | Path,
    *,
    settings: TrainSettings | None = None,
    held_out: PreferencesLike | None = None,
    anchor: Anchor | None = None,
    force: bool = False,
    resume: bool = False,
    trust_remote_code: bool = False,
    progress: bool = True,
) -> TrainResult:
    """Fine-tune ``rm`` on preference pairs with the Bradley-Terry loss -log sigmoid(r_chosen - r_rejected).

    Args:
        preferences: pairs to train on; ``settings.eval_fraction`` of their prompts is held out first.
        rm: local folder or hub id of a one-output sequence classifier (or any base, with ``new_head``).
        output: folder to write: model, tokenizer, ``README.md`` (the card) and ``training.json``.
        held_out: pairs to evaluate on in place of a split; they must share no prompt with ``preferences``.
        anchor: responses of rated policies, win rates between which are held to the ratings, with ``settings.anchor_weight``;
            prompts of held-out pairs are left out of it.
        force: replace what ``output`` holds, and start anew where an unfinished training lies.
        resume: continue an unfinished training of the same model on the same data with the same settings
            from its last checkpoint; where there is none, start.

    Raises:
        OutputExists: ``output`` exists, or an unfinished training does, and neither force nor resume is on.
        ConfigError: a setting does not fit, or ``resume`` meets a training that differs.
        ConfigError: several processes train, and cannot do this together (:func:`.processes.refuse_together`).
        NoOverlap: no two policies of the anchor share ``settings.anchor_prompts`` prompts.
        ModelError: ``rm`` has no one-output head and ``new_head`` is off.
    """
    preferences = any_preferences(preferences)
    held_out = None if held_out is None else any_preferences(held_out)
    settings = settings or TrainSettings()
    output = refuse_folder(output, force=force, inputs=[rm])
    for module in _EXTRAS:
        require(module)
    from ..loading.libraries import quiet
    from ..scoring.unknown import refuse_unknown
    from .anchoring import start_anchoring
    from .base import load_base
    from .pairs import encode_pairs, split_by_prompt, texts_of
    from .trainer import build_trainer, flush_denormals

    processes = join_processes()
    refuse_together(processes, settings, anchored=anchor is not None)
    training = preferences
    if held_out is None:
        training, held_out = split_by_prompt(preferences, fraction=settings.eval_fraction, seed=settings.seed)
    else:
        _refuse_shared_prompts(training, held_out)
    training = with_labels(training, settings.labels, seed=settings.seed)
    plan = plan_anchor(anchor, settings, pairs=len(training), held_out=held_out)
    provenance = _provenance(training, held_out, rm, settings, plan)
    opening: dict[str, Any] = {"processes": processes, "resume": resume, "force": force}
    with opened_work(output, provenance["fingerprint"], **opening) as work, flush_denormals(), quiet():
        base = load_base(rm, settings=settings, trust_remote_code=trust_remote_code)
        if not settings.unchecked:
            refuse_unknown(base.tokenizer, texts_of(training), where=str(rm))
            if plan is not None:
                refuse_unknown(base.tokenizer, plan.anchor.texts(plan.rows)[1], where=str(rm))
        pairs = encode_pairs(
            training, base.encoder, margin=settings.margin_loss, soft_labels=settings.soft_labels
        )
        evaluation = None if held_out is None else encode_pairs(held_out, base.encoder)
        trainer = build_trainer(
            base.model,
            base.tokenizer,
            pairs,
            settings=settings,
            checkpoints=work.checkpoints,
            progress=progress,
            processes=processes,
        )
        before = _measured_before(work, trainer, evaluation)
        checkpoint = work.last_checkpoint()
        if plan is not None:
            how: dict[str, Any] = {"settings": settings, "folder": work.folder}
            anchoring = start_anchoring(trainer, plan, base.encoder, **how)
            anchoring.restore(checkpoint)
            trainer.hold_to(anchoring)
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        result = _result(trainer, output, pairs, evaluation, before=before(), provenance=provenance)
        _save(trainer, base, result, rm=rm, settings=settings, force=force)
    return result


def _measured_before(
    work: Work, trainer: PairTrainer, evaluation: EncodedPairs | None
) -> Callable[[], HeldOut | None]:
    """Measure the untrained model, or where its weights are spread, as soon as they are; the figures can be had after training."""
    from .trainer import AtTheStart

    if not trainer.processes.sharded:
        found = work.remembered_before(trainer, evaluation)
        return lambda: found
    later: list[HeldOut | None] = []
    trainer.add_callback(AtTheStart(lambda: later.append(work.remembered_before(trainer, evaluation))))
    return lambda: later[0]


def _result(
    trainer: PairTrainer,
    output: Path,
    pairs: EncodedPairs,
    evaluation: EncodedPairs | None,
    *,
    before: HeldOut | None,
    provenance: Mapping[str, Any],
) -> TrainResult:
    from .held_out import measure_held_out

    history = reproducible_log(trainer.state.log_history)
    losses = [entry["loss"] for entry in history if "loss" in entry]
    after = None if evaluation is None else measure_held_out(trainer, evaluation)
    _refuse_divergence([*losses, 0.0 if after is None else after.loss])
    counts = {"train": len(pairs), "dropped": pairs.dropped, "truncated": pairs.truncated}
    if evaluation is not None:
        counts["held_out"] = len(evaluation)
        counts["dropped"] += evaluation.dropped
        counts["truncated"] += evaluation.truncated
    return TrainResult(
        output=output,
        steps=trainer.state.global_step,
        train_loss=sum(losses) / len(losses),
        before=before,
        after=after,
        pairs=counts,
        log_history=history,
        provenance=provenance,
        anchor=None if trainer.anchoring is None else trainer.anchoring.summary(history),
    )


def reproducible_log(history: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """The log of a training without what a run that was stopped and resumed has otherwise: times, and counts since it began."""
    kept = [{name: entry[name] for name in sorted(entry) if name not in _OF_ONE_RUN} for entry in history]
    return tuple(entry for entry in kept if entry.keys() - {"epoch", "step"})


def _refuse_divergence(losses: list[float]) -> None:
    if not all(math.isfinite(loss) for loss in losses):
        raise NotConverged(
            "the training diverged: its loss is no longer a number",
            fix="lower the learning rate, and start anew with --force",
        )


def _save(
    trainer: PairTrainer,
    base: Base,
    result: TrainResult,
    *,
    rm: str | Path,
    settings: TrainSettings,
    force: bool,
) -> None:
    """Write model, tokenizer, card and ``training.json``, all together or none."""
    spread = trainer.processes.sharded
    weights = (
        trainer.accelerator.get_state_dict(trainer.model_wrapped) if spread else None
    )  # by all processes

    def write() -> None:
        how: dict[str, Any] = {"rm": rm, "settings": settings, "force": force, "weights": weights}
        _write(trainer, base, result, **how)

    by_the_first(trainer.processes, write)


def _write(
    trainer: PairTrainer,
    base: Base,
    result: TrainResult,
    *,
    rm: str | Path,
    settings: TrainSettings,
    force: bool,
    weights: Any,
) -> None:
    from ..loading.adapters import make_portable

    model: Any = trainer.model if weights is None else trainer.accelerator.unwrap_model(trainer.model)
    if settings.lora and settings.merge:
        model = model.merge_and_unload()  # adapters into the weights; the trained head takes its place
    elif settings.lora:
        model.peft_config["default"].base_model_name_or_path = str(rm)
    with replacing_directory(result.output, force=force) as folder:
        model.save_pretrained(folder, **({} if weights is None else {"state_dict": weights}))
        if settings.lora and not settings.merge:
            make_portable(folder, base=rm, output=result.output)
        base.tokenizer.save_pretrained(folder)
        store.write_json(result.to_json(), folder / "training.json")
        write_card(folder, result, settings=settings, layout=base.encoder.layout)


def _provenance(
    training: Preferences,
    held_out: Preferences | None,
    rm: str | Path,
    settings: TrainSettings,
    plan: AnchorPlan | None,
) -> dict[str, Any]:
    """What went in, by name and hash; no paths of this machine."""
    from ..loading.folders import fingerprint as model_fingerprint
    from .trainer import multiplies_bf16

    base = Path(rm)
    record: dict[str, Any] = {
        "base": source_name(base) if base.is_dir() else str(rm),
        "base_sha256": model_fingerprint(base) if base.is_dir() else None,
        "training_pairs_sha256": _hash_preferences(training),
        "held_out_pairs_sha256": None if held_out is None else _hash_preferences(held_out),
        "anchor_sha256": None if plan is None else plan.anchor.sha256,
        "settings": asdict(settings),
    }
    manifest = Manifest("train", inputs={}, settings=record, seed=settings.seed)
    lineage = [*anchored_on(base), *([] if plan is None else [plan.anchor.record()])]
    return record | {
        "anchored_on": lineage,
        "fingerprint": manifest.fingerprint,
        "versions": versions(PACKAGES),
        "products": "bfloat16" if multiplies_bf16(settings) else "float32",
    }


def _hash_preferences(preferences: Preferences) -> str:
    """SHA-256 of everything in the pairs that can enter a training, in row order."""
    names = [
        n for n in ("prompt", "chosen", "rejected", "margin", "p_chosen") if n in preferences.frame.columns
    ]
    return hashlib.sha256(preferences.frame.select(names).write_ndjson().encode()).hexdigest()


def _refuse_shared_prompts(training: Preferences, held_out: Preferences) -> None:
    known = {prompt_key(p) for p in training.frame["prompt"].to_list()}
    shared = sum(prompt_key(p) in known for p in held_out.frame["prompt"].to_list())
    if shared:
        raise SchemaError(
            f"{shared} of {len(held_out)} held-out pairs have a prompt that is also trained on",
            where="held-out preferences",
            fix="drop these pairs from one side",
        )
