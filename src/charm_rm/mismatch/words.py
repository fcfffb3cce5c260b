"""What an audit says in words, wherever it is shown: the words follow from the intervals, never from the values."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

from ..errors import counted
from ..estimates import Estimate, signed

WHY_NOT_THE_DIFFERENCE = (
    "Favour is not rm_elo - arena_elo: that difference also contains the sharpness, which moves every strong policy up and "
    "every weak one down."
)
WHY_PAIRS_DIFFER = (
    "A pair's mismatch depends on both policies and on the sharpness: a favoured policy may win less often than people say "
    "against a reference that is favoured more."
)
WHAT_IMPLIED_IS = "implied: what people would rate it IF the model favoured it like the average rated policy; its own favour cannot be seen without a human rating"
WHAT_PREDICTED_IS = (
    "rating: a 95 % interval of the human rating itself, as wide as the favours of the rated policies make it"
)
WHAT_STYLE_FAVOUR_IS = "style: the favour to expect from the style of its responses, by the calibrator; corrected: the implied rating with that taken off"
SCOPES = {
    "sample": "generalising to policies like these",
    "these": "for these policies only",
}


def sharpness_words(low: float | None, high: float | None) -> str:
    """How decided the RM is beside people, as far as the interval tells."""
    if low is not None and low > 1:
        return "more decided between policies than people are; this alone favours none of them"
    if high is not None and high < 1:
        return "less decided between policies than people are"
    if low is None and high is None:
        return "no interval to compare it with 1 (as decided as people are)"
    return "not significantly different from 1 (as decided as people are)"


def upside_down_words(spearman: Estimate, slope: float | None) -> str | None:
    """A sentence for an RM whose ranking does not rise with people's; None where it does."""
    if isnan(spearman.value) or (slope is not None and slope > 0 and spearman.value > 0):
        return None
    shown = f"Spearman correlation {_valued(spearman)}"
    if _is_upside_down(spearman, slope):
        return f"UPSIDE DOWN: it prefers the policies that people like less ({shown}); check the sign of the scores"
    if slope is not None and slope > 0:
        return None
    return f"its ranking does not agree with people's ({shown}); favour has no Elo scale here"


def no_scale_words(spearman: Estimate | None, slope: float) -> str:
    """Why an RM whose slope is not positive has no favour: that it ranks upside down comes first."""
    told, rest = (
        "the RM's ranking does not agree with human ratings",
        f"favour has no Elo scale (sharpness {slope:.2f})",
    )
    if spearman is None:
        return f"{told}: {rest}"
    if _is_upside_down(spearman, slope):
        told, rest = (
            "the RM ranks policies upside down",
            f"{rest}; its ranking does not agree with human ratings",
        )
    return f"{told} (Spearman {_valued(spearman)}): {rest}"


def _is_upside_down(spearman: Estimate, slope: float | None) -> bool:
    """The interval lies below 0; without one (no draws) value and slope are both below 0."""
    if spearman.ci_high is not None:
        return spearman.ci_high < 0
    return spearman.value < 0 and slope is not None and slope < 0


def _valued(spearman: Estimate) -> str:
    if spearman.ci_low is None or spearman.ci_high is None:
        return f"{spearman.value:.2f}"
    return f"{spearman.value:.2f} [{spearman.ci_low:.2f}, {spearman.ci_high:.2f}]"


def counted_verdicts(counts: Mapping[str, int]) -> str:
    """``8 over-valued, 8 under-valued, 29 no evidence``."""
    order = ("over-valued", "under-valued", "no evidence", "underpowered")
    names = [n for n in order if n in counts] + sorted(set(counts) - set(order))
    return ", ".join(f"{counts[n]} {n}" for n in names)


def detectable_words(found: Mapping[str, float | None], *, policies: int, prompts: int | None) -> str:
    """One line: what favour such an audit would see."""
    given = (
        f"{counted(prompts, 'prompt')} and {policies} policies" if prompts else f"these {policies} policies"
    )
    power, elo = found["power"] or 0.0, found["elo"] or 0.0
    seen = "no favour, however large, in 4 of 5 cases"
    if found["detectable"] is not None:
        seen = f"{signed(found['detectable'])} Elo in {found['wanted'] or 0.0:.0%}"
    floor = found["floor"] or 0.0
    return (
        f"with {given} you would see a favour of {signed(elo)} Elo in {power:.0%} of cases, {seen}; "
        f"noise alone gives a mean |favour| of {floor:.0f} Elo"
    )
