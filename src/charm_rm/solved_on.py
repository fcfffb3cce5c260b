"""What offsets and calibrators were solved on, and which of them scores already carry: kept in provenance, so that figures can say "in-sample".

What a reward model was anchored on (``charm train --anchor``) is kept in the provenance of its scores in the same form.

Prompts are kept as short digests of their ids, which are the same whatever file the ids come from. Parquet keeps provenance;
CSV and JSON files lose it, and calibrated scores in them look like any others.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .errors import CharmWarning, ConfigError, counted, listing
from .tables import Offsets, Table

_DIGITS = 12  # hexadecimal: among a million ids two share a digest with a chance of 1 in 500


def solved_on(source: Table, policies: Sequence[str]) -> dict[str, Any]:
    """What is kept of the prompts and policies that offsets were solved on."""
    ids = source.frame["prompt_id"].unique().to_list()
    return {
        "n_prompts": len(ids),
        "prompts": "".join(sorted(_digests(ids))),
        "policies": sorted(policies),
        "split": source.provenance.get("split"),
    }


def fingerprint(offsets: Offsets) -> str:
    """The same for the same offsets, whatever file they come from: a hash of each policy and its Δ."""
    rows = sorted(zip(offsets.frame["policy"], offsets.frame["delta"], strict=True))
    return hashlib.sha256("\n".join(f"{p}\t{d!r}" for p, d in rows).encode()).hexdigest()[:16]


By = Literal["offsets", "style"]
_WHAT = {"offsets": ("offsets", "were"), "style": ("style calibration", "was")}


@dataclass(frozen=True)
class Calibration:
    """What scores keep of something added to them: offsets, or a style calibrator.

    ``deltas`` are the constants by policy, ``solved_on`` is what :func:`solved_on` gave when it was solved (None: unknown).
    """

    by: By
    fingerprint: str
    solved_on: Mapping[str, Any] | None
    deltas: Mapping[str, float] = field(default_factory=dict)


def of_offsets(offsets: Offsets) -> Calibration:
    """What scores keep of these offsets."""
    deltas = dict(zip(offsets.frame["policy"], offsets.frame["delta"], strict=True))
    return Calibration("offsets", fingerprint(offsets), offsets.provenance.get("solved_on"), deltas)


def carried(source: Table) -> list[Calibration]:
    """The calibrations that scores (or margins) carry, the first applied first; of each its own constants are not kept."""
    kept = source.provenance.get("calibrations", [])
    kinds: tuple[By, ...] = ("style", "offsets")
    return [Calibration(by, one[by], one["solved_on"]) for one in kept for by in kinds if by in one]


def carrying(source: Table, added: Calibration) -> dict[str, Any]:
    """The provenance of ``source`` once this calibration is in it. ``calibrated`` is the sum of all Δ of each policy."""
    deltas = dict(source.provenance.get("calibrated", {}))
    for policy, delta in added.deltas.items():
        deltas[policy] = deltas.get(policy, 0.0) + delta
    before = list(source.provenance.get("calibrations", []))
    one = {added.by: added.fingerprint, "solved_on": added.solved_on}
    return dict(source.provenance) | {"calibrated": deltas, "calibrations": [*before, one]}


def carries(source: Table, added: Calibration) -> bool:
    """Whether this very calibration is in the scores (or margins)."""
    return any((one.by, one.fingerprint) == (added.by, added.fingerprint) for one in carried(source))


def check_not_carried(source: Table, added: Calibration) -> None:
    """Refuse to add the same calibration twice; say so where others are in the source already.

    Raises:
        ConfigError: the source carries it.
    """
    if carries(source, added):
        these = {"offsets": "these offsets", "style": "this style calibration"}[added.by]
        raise ConfigError(
            f"these {source.noun} carry {these} already: added again it would count twice",
            where="calibration",
            fix=f"start from the {source.noun} before `charm apply`, or calibrate these {source.noun}",
        )
    if before := carried(source):
        kinds = ", ".join(_WHAT[one.by][0] for one in before)
        warnings.warn(
            f"these {source.noun} carry other calibrations already ({len(before)} so far: {kinds}): all will count",
            CharmWarning,
            stacklevel=3,
        )


@dataclass(frozen=True)
class InSample:
    """Of the ``prompts`` at hand, ``solved_on`` are ones that a calibration was solved on; None: it does not say.

    ``by`` says what it was: ``offsets``, ``style``, or ``anchor`` where it is the reward model itself that was trained to agree with
    ratings there.
    """

    prompts: int
    solved_on: int | None
    policies: tuple[str, ...]
    by: str = "offsets"

    def __str__(self) -> str:
        what, were = _WHAT.get(self.by, _WHAT["offsets"])
        they = "they" if were == "were" else "it"
        if self.solved_on is None:
            do = "do" if were == "were" else "does"
            return (
                f"maybe in-sample: these scores are calibrated, and their {what} {do} not say on which prompts {they} {were} solved; "
                f"where those are the same, agreement with ratings is what the {what} {were} made to give"
            )
        if self.solved_on == self.prompts:
            some = f"all of the {counted(self.prompts, 'prompt')}"
        else:
            some = f"{self.solved_on} of the {self.prompts} prompts"
        if self.by == "anchor":
            return (
                f"in-sample: {some} are ones that this reward model was anchored on (for {listing(self.policies, limit=3)}); "
                "agreement with ratings is what it was trained for, not evidence for it. Hold prompts out: "
                "charm train --anchor RESPONSES --split train, then charm audit --split test"
            )
        return (
            f"in-sample: {some} are ones that the {what} in these scores {were} solved on "
            f"(for {listing(self.policies, limit=3)}); agreement with ratings is what {they} {were} made to give, not evidence "
            f"for {'them' if were == 'were' else 'it'}. Hold prompts out: charm calibrate --split train, then charm audit --split test"
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON-able values, with the sentence."""
        return {
            "prompts": self.prompts,
            "solved_on": self.solved_on,
            "policies": list(self.policies),
            "by": self.by,
            "text": str(self),
        }


def noting(found: InSample | None) -> dict[str, Any]:
    """The provenance of a table that keeps no prompts (win rates), so that what was in-sample goes on saying so."""
    return {} if found is None else {"in_sample": found.to_json()}


def warn_if_in_sample(source: Table, whose: str = "") -> None:
    """Say the audit's sentence where figures are in-sample; ``whose`` (``first: ``) goes before it."""
    if (found := in_sample(source)) is not None:
        warnings.warn(f"{whose}{found}", CharmWarning, stacklevel=3)


def in_sample(source: Table) -> InSample | None:
    """Whether a table's figures are in-sample for the offsets it carries, or for the model that gave the scores.

    None where neither is there, or no prompt is shared. Win rates keep no prompts: theirs is what was noted when they were
    counted (:func:`noting`).
    """
    if "prompt_id" not in source.frame.columns:
        return _noted(source)
    kept: dict[str, list[Mapping[str, Any] | None]] = {"offsets": [], "style": []}
    for one in carried(source):
        kept[one.by].append(one.solved_on)
    kept["anchor"] = list(source.provenance.get("anchored_on", []))
    found = [shared for by, some in kept.items() if (shared := _shared(source, some, by=by)) is not None]
    return min(found, key=lambda one: one.solved_on is None, default=None)  # what is known before what may be


def _shared(source: Table, kept: Sequence[Mapping[str, Any] | None], *, by: str) -> InSample | None:
    """The prompts and policies of a table that are among those kept; None in ``kept``: nobody knows which."""
    if not kept:
        return None
    here = _digests(source.frame["prompt_id"].unique().to_list())
    known = [one for one in kept if one]
    used = set().union(*(_unpacked(one["prompts"]) for one in known)) & here
    policies = tuple(sorted({p for one in known for p in one["policies"]} & set(source.policies)))
    if used and policies:
        return InSample(len(here), len(used), policies, by)
    return None if len(known) == len(kept) else InSample(len(here), None, policies, by)


def _noted(source: Table) -> InSample | None:
    note = source.provenance.get("in_sample")
    if not isinstance(note, Mapping):
        return None
    policies = tuple(p for p in note["policies"] if p in set(source.policies))
    if note["policies"] and not policies:
        return None
    return InSample(note["prompts"], note["solved_on"], policies, note.get("by", "offsets"))


def _digests(prompt_ids: Iterable[str]) -> set[str]:
    return {hashlib.sha256(p.encode()).hexdigest()[:_DIGITS] for p in prompt_ids}


def _unpacked(digests: str) -> set[str]:
    return {digests[i : i + _DIGITS] for i in range(0, len(digests), _DIGITS)}
