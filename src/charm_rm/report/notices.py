"""What has to be read before anything else: an audit that is in-sample, a judge that ranks upside down."""

from __future__ import annotations

from collections.abc import Mapping

from ..estimates import Estimate
from ..mismatch.words import upside_down_words
from .gather import Audited, Findings


def notices(findings: Findings) -> list[str]:
    """Sentences for the head of the page, in the order to read them."""
    stages = (
        [("", findings.before)]
        if findings.after is None
        else [("Before: ", findings.before), ("After: ", findings.after)]
    )
    upside_down = [(stage, ranking_words(audited)) for stage, audited in stages]
    in_sample = [(stage, _in_sample_words(audited)) for stage, audited in stages]
    return [f"{stage}{words}." for stage, words in (*upside_down, *in_sample) if words]


def ranking_words(audited: Audited) -> str | None:
    """What is wrong where the judge's ranking does not rise with people's; None where it does."""
    spearman = audited.spearman
    if spearman is None or spearman.get("value") is None:
        return None
    slope = (audited.details.get("summary") or {}).get("slope")
    if slope is None and audited.sharpness:
        slope = audited.sharpness["value"]
    ends = spearman.get("ci_low"), spearman.get("ci_high")
    return upside_down_words(Estimate(spearman["value"], None, *ends), slope)


def _in_sample_words(audited: Audited) -> str | None:
    """Calibrated scores look perfect on the prompts that their offsets were solved on."""
    noted = audited.details.get("in_sample")
    if isinstance(noted, Mapping) and noted.get("text"):
        return str(noted["text"])
    if not audited.is_calibrated or audited.in_sample is False:
        return None
    if audited.in_sample:
        return "in-sample: these scores were calibrated on these prompts, and every figure here reads better than on fresh ones"
    return (
        "these scores carry offsets; on the prompts that the offsets were solved on this audit is in-sample, and every "
        "figure here reads better than on fresh ones"
    )
