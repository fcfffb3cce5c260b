"""The model card: where a trained reward model comes from and how it did, in its ``README.md``."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from ... import store
from ...errors import UnreadableFile, counted
from ...mismatch import METRICS, both_ways
from ...mismatch.metrics import PLACEBO, WHAT_P_IS, WHAT_P_TESTS, WHAT_PLACEBO_IS, in_order
from ...tables import Mismatch
from ...visible import as_markdown, visible
from .settings import HeldOut, TrainResult, TrainSettings

BEGIN, _END = "<!-- mismatch: begin -->", "<!-- mismatch: end -->"
_ROWS = 20
# A name that YAML takes for text as it is.
_PLAIN = re.compile(r"[A-Za-z][\w.-]*(/[\w.-]+)*")


def write_card(folder: Path, result: TrainResult, *, settings: TrainSettings, layout: str) -> Path:
    """Write ``README.md`` into a model folder."""
    parts = [
        _front_matter(result),
        f"# {as_markdown(result.output.name)}",
        "A reward model: it reads a prompt and a response and returns one number, higher is better. Only "
        "differences between responses to the same prompt mean something.",
        "## Held-out accuracy\n\n" + _held_out(result),
        "## Training\n\n" + _training(result, settings),
        "## Use\n\n" + _use(result, settings, layout),
        "## Provenance\n\n" + _provenance(result.provenance),
    ]
    return store.write_text("\n\n".join(parts) + "\n", folder / "README.md", force=True)


def write_mismatch_section(
    model_dir: str | Path,
    before: Mismatch,
    after: Mismatch,
    *,
    effect: Sequence[Mapping[str, Any]] | None = None,
    note: str | None = None,
) -> Path:
    """Add (or replace) the card's table of mismatch with human ratings before and after training.

    Args:
        before, after: audits of the scores of the base and of this model, over the same responses.
        effect: rows of :func:`charm_rm.evaluate.alignment_with_ratings` with the scores before as baseline: how far the model is
            from people before and after, sharpness fitted, debiased and raw, with noise floors; rank correlation and favour.
        note: a sentence on what was audited: responses, ratings and their date.
    """
    card = Path(model_dir) / "README.md"
    if not card.is_file():
        raise UnreadableFile("no model card here", where=str(card), fix="name the folder of a trained model")
    section = f"{BEGIN}\n## Mismatch with human ratings\n\n{_mismatch(before, after, effect, note)}\n{_END}\n"
    text = card.read_text(encoding="utf-8")
    # Only on lines of their own: a name may hold the same words.
    pattern = re.compile(rf"^{re.escape(BEGIN)}$.*?^{re.escape(_END)}$\n?", re.DOTALL | re.MULTILINE)
    text = pattern.sub("", text).rstrip("\n")
    return store.write_text(f"{text}\n\n{section}", card, force=True)


def _front_matter(result: TrainResult) -> str:
    base = result.provenance["base"]
    lines = ["---", "library_name: transformers", "pipeline_tag: text-classification"]
    if result.provenance["base_sha256"] is None:
        lines.append(f"base_model: {base if _PLAIN.fullmatch(base) else json.dumps(visible(base))}")
    return "\n".join([*lines, "tags: [reward-model, charm-rm, trl]", "---"])


def _held_out(result: TrainResult) -> str:
    if result.before is None or result.after is None:
        return "Nothing was held out: how this model generalises was not measured."
    rows = [("before", result.before), ("after", result.after)]
    table = [
        "| | accuracy | 95 % CI | loss |",
        "|---|---|---|---|",
        *(f"| {name} training | {_share(h)} | {h.loss:.4f} |" for name, h in rows),
    ]
    split = f"{counted(result.after.n, 'pair')} on {counted(result.after.n_prompts, 'prompt')} that training never saw."
    return f"{split} Intervals treat the pairs of one prompt as one cluster.\n\n" + "\n".join(table)


def _share(held_out: HeldOut) -> str:
    return f"{held_out.accuracy:.3f} | {held_out.ci_low:.3f} to {held_out.ci_high:.3f}"


def _training(result: TrainResult, settings: TrainSettings) -> str:
    kind = f"LoRA of rank {settings.lora_rank}" if settings.lora else "full fine-tuning"
    if settings.lora:
        kind += ", merged into the weights" if settings.merge else ", saved as an adapter"
    loss = "-log sigmoid(r_chosen - r_rejected" + (" - margin)" if settings.margin_loss else ")")
    if settings.soft_labels:
        loss += ", labels softened by p_chosen"
    rows = {
        "base model": as_markdown(result.provenance["base"])
        + (" (with a fresh head)" if settings.new_head else ""),
        "method": f"{kind}; TRL RewardTrainer",
        "loss": f"`{loss}`",
        "pairs": f"{result.pairs['train']} ({result.pairs['truncated']} shortened, {result.pairs['dropped']} dropped as equal)",
        **({"labels": f"`{settings.labels}`, for comparison"} if settings.labels != "given" else {}),
        "optimiser steps": result.steps,
        "learning rate": f"{settings.learning_rate:g}, {settings.scheduler}, warm-up {settings.warmup_ratio:g}",
        "pairs per step": settings.batch_size,
        "epochs": f"{settings.epochs:g}"
        if settings.max_steps is None
        else f"up to step {settings.max_steps}",
        "maximum length": f"{settings.max_length} tokens, or what the model takes",
        "dropout": "as the model configures it" if settings.dropout else "off",
        "precision": f"float32 weights, {result.provenance['products']} matrix products",
        "mean training loss": f"{result.train_loss:.4f}",
        "seed": settings.seed,
    } | _anchor(result.anchor, settings)
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def _anchor(anchor: Mapping[str, Any] | None, settings: TrainSettings) -> dict[str, Any]:
    """What win rates were held to, as rows of the table."""
    if anchor is None:
        return {}
    left_out = ", ".join(
        f"{counted(n, 'policy', 'policies')} without a rating"
        if why == "unrated"
        else f"{counted(n, 'prompt')} of held-out pairs"
        for why, n in anchor["left_out"].items()
        if n
    )
    kept = (
        f", staying near the old scores with weight {settings.keep_scores:g}" if settings.keep_scores else ""
    )
    return {
        "anchor": f"win rates held to human ratings: {anchor['policies']} policies x {counted(anchor['prompts'], 'prompt')}, "
        f"weight {settings.anchor_weight:g}, estimate `{settings.anchor_estimate}`{kept}"
        + (f"; left out: {left_out}" if left_out else ""),
        "anchored win rates": f"mean of sigmoid(difference / {anchor['temperature']:.4g}), that is "
        f"{settings.anchor_temperature:g} within-prompt sd of the old scores; mean distance from the ratings before training "
        f"{anchor['gap_before']:.3f}",
        "in-sample": "agreement with ratings on the anchor's prompts and policies is what this model was trained for, not evidence",
    }


def _use(result: TrainResult, settings: TrainSettings, layout: str) -> str:
    name = visible(result.output.name)
    return (
        f"Text layout: `{layout}` (chat: the tokenizer's template; pair: prompt and response as a sentence pair; "
        "plain: `User: ...` and `Assistant: ...`).\n\n"
        f"```\ncharm score responses.parquet --rm {shlex.quote(name)} -o scores.parquet\n```\n\n"
        "```python\nfrom transformers import AutoModelForSequenceClassification\n"
        f"model = AutoModelForSequenceClassification.from_pretrained({json.dumps(name)})\n```"
        + (
            "\n\nThis folder holds an adapter: its base model must be at hand."
            if _is_adapter(settings)
            else ""
        )
    )


def _is_adapter(settings: TrainSettings) -> bool:
    return settings.lora and not settings.merge


def _provenance(record: Mapping[str, Any]) -> str:
    hashes = [
        f"- {name.removesuffix('_sha256').replace('_', ' ')}: sha256 `{record[name]}`"
        for name in ("base_sha256", "training_pairs_sha256", "held_out_pairs_sha256", "anchor_sha256")
        if record.get(name)
    ]
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    return "\n".join(
        [*hashes, f"- versions: {versions}", "- all settings and the loss curve: `training.json`"]
    )


def _mismatch(
    before: Mismatch, after: Mismatch, effect: Sequence[Mapping[str, Any]] | None, note: str | None
) -> str:
    """Both audits side by side, largest mismatch before first."""
    key = ["policy", "reference"]
    columns = [*key, "mismatch", "ci_low", "ci_high"]
    joined = before.frame.select([*columns, "expected"]).join(
        both_ways(after.frame.select(columns)), on=key, how="inner", suffix="_after"
    )
    joined = joined.sort(pl.col("mismatch").abs(), descending=True)
    lines = [
        *([as_markdown(note)] if note else []),
        *(_effect(effect) if effect else []),
        "Signed mismatch: win rate by reward minus win rate that human ratings imply; above 0 the policy wins too often.",
    ]
    table = [
        "| policy | reference | expected | before (95 % CI) | after (95 % CI) |",
        "|---|---|---|---|---|",
    ]
    for row in joined.head(_ROWS).iter_rows(named=True):
        cells = (
            as_markdown(row["policy"]),
            as_markdown(row["reference"]),
            f"{row['expected']:.3f}",
            _signed(row),
            _signed(row, "_after"),
        )
        table.append(f"| {' | '.join(cells)} |")
    more = f"\n\n{joined.height - _ROWS} more pairs are left out." if joined.height > _ROWS else ""
    return "\n\n".join(lines) + "\n\n" + "\n".join(table) + more


def _effect(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """How far from people before and after, in every figure that there is."""
    table = [
        f"| | before | after | {PLACEBO} | noise floor | change (95 % CI) | p |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in in_order(rows):
        metric = METRICS[row["metric"]]
        names = ("baseline_value", "value", "placebo_value", "floor")
        shown = [metric.shown(row.get(name)) for name in names]
        change = metric.shown(row.get("difference"), row.get("diff_ci_low"), row.get("diff_ci_high"))
        p = "-" if row.get("p_value") is None else f"{row['p_value']:.3f}"
        table.append(f"| {' | '.join([as_markdown(metric.label), *shown, change, p])} |")
    return ["\n".join(table), f"{WHAT_P_IS}. {WHAT_P_TESTS}. {WHAT_PLACEBO_IS}"]


def _signed(row: Mapping[str, Any], suffix: str = "") -> str:
    value, low, high = (row[f"{name}{suffix}"] for name in ("mismatch", "ci_low", "ci_high"))
    return _plus(value) + (
        f" ({_plus(low)} to {_plus(high)})" if low is not None and high is not None else ""
    )


def _plus(value: float) -> str:
    return f"{round(value, 3) + 0.0:+.3f}"  # + 0.0 turns -0.000 into +0.000
