"""Settings of offsets and style calibration."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from ..errors import BadSetting
from .definition import Settings, setting
from .vocabulary import Link, Method, Objective

AUTO = "auto"


def as_names(value: tuple[str, ...] | str) -> tuple[str, ...]:
    """Policies as given, one or several; none where they are to be chosen (``auto``)."""
    names = (value,) if isinstance(value, str) else tuple(value)
    return () if names == (AUTO,) else names


def parse_fixed(values: tuple[str, ...]) -> dict[str, float]:
    """Weights given as ``NAME=WEIGHT``.

    Raises:
        BadSetting: one is no such thing, or a name is given twice.
    """
    fixed: dict[str, float] = {}
    for value in values:
        name, equals, number = value.rpartition("=")
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not (name and equals and math.isfinite(weight)):
            raise BadSetting(f"{value!r} is not NAME=WEIGHT", setting="fix", fix="for example words=0")
        if name in fixed:
            raise BadSetting(f"the weight of {name!r} is fixed twice", setting="fix", fix="give it once")
        fixed[name] = weight
    return fixed


@dataclass(frozen=True, kw_only=True)
class CalibrateSettings(Settings):
    """Solve offsets, or a style calibration, on the train prompts (null: stop after the audit)."""

    method: Method = setting(
        "pair",
        "What to solve: `pair`, offsets of chosen policies against references; `joint`, offsets of all rated policies together; "
        "`style`, weights of style features, for policies with or without ratings.",
    )
    over: tuple[str, ...] | str = setting(
        AUTO, "Policy to calibrate; repeatable. `auto`: the most favoured.", metavar="POLICY"
    )
    references: tuple[str, ...] | str = setting(
        AUTO,
        "Reference, with offset 0; repeatable. `auto`: of the policies near its rating, the one with favour closest to 0.",
        flags=("--ref",),
        metavar="POLICY",
    )
    link: Link = setting("hard", "What to match: the win rate (hard), or the mean sigmoid of the margins.")
    temperature: float | None = setting(
        None,
        "Temperature of the sigmoid link, in units of the margins (default: 1), or of the style fit, in units of their spread "
        "within prompts (default: by cross-validation).",
        above=0,
    )
    objective: Objective = setting(
        "total-wins", "Joint offsets: meet each policy's total wins, or least squares over all pairs."
    )
    paired: bool = setting(
        True,
        "Compare responses to the same prompt, or all with all (scores of one pair only).",
        flags=("--paired/--unpaired",),
    )
    cross_fit: bool = setting(
        True,
        "Also show the cross-fitted win rate: what as many fresh prompts would show.",
        flags=("--cross-fit/--no-cross-fit",),
    )
    held_out: tuple[str, ...] = setting(
        (),
        "Policy kept out of calibration, to see whether the effect carries over; repeatable.",
        metavar="POLICY",
    )
    features: tuple[str, ...] = setting(
        (),
        "Style: feature to correct, of `charm features --list`; repeatable (default: eight, see docs/style.md).",
        flags=("--feature",),
        metavar="NAME",
    )
    own: tuple[str, ...] = setting(
        (),
        "Style: feature of your own, column:NAME or python:MODULE:FUNCTION; repeatable.",
        metavar="FEATURE",
    )
    fix: tuple[str, ...] = setting(
        (),
        "Style: a fixed weight, in score units per standard deviation of the feature; repeatable.",
        metavar="NAME=WEIGHT",
        check=parse_fixed,
    )
    non_negative: tuple[str, ...] = setting(
        (), "Style: feature whose weight may not be below 0; repeatable.", metavar="NAME"
    )
    length_only: bool = setting(False, "Style: correct length only, as a comparison.")
    sharpness: bool = setting(
        False, "Style: correct no feature; find only the scale at which soft win rates match people's."
    )
    with_offsets: bool = setting(
        False, "Style: also solve offsets for what style leaves, for rated policies."
    )
    keep: float = setting(
        0.5,
        "Style: lowest allowed correlation of margins before and after, within prompts; the penalty is raised to reach it.",
        least=0,
    )
    penalty: float | None = setting(
        None, "Style: penalty on the squared weights (default: by cross-validation).", above=0
    )
    folds: int = setting(
        5,
        "Style: folds of policies, for the figures on policies that the weights were not solved on.",
        least=2,
    )
    family: str | None = setting(
        None,
        "Style: table (policy, group); whole groups are left out in place of random folds.",
        path="path",
        metavar="FILE",
    )

    votes: str | None = setting(
        None,
        "Style: votes on the same responses (prompt_id, policy_a, policy_b, winner): a second estimate of the weights, shown beside the first.",
        path="path",
        metavar="FILE",
    )
    with_votes: bool = setting(
        False, "Style: combine the weights from policies and from votes, by precision."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.with_votes and self.votes is None:
            raise BadSetting("with_votes needs votes", setting="with_votes", fix="name a file of votes")
        if self.length_only and (self.features or self.own):
            raise BadSetting(
                "length_only names its feature itself",
                setting="length_only",
                fix="leave out features and own",
            )
        bare = self.given(
            (
                "features",
                "own",
                "fix",
                "non_negative",
                "length_only",
                "with_offsets",
                "penalty",
                "family",
                "votes",
            )
        )
        if self.sharpness and bare:
            raise BadSetting(
                f"sharpness corrects no feature, and takes no {bare[0]}",
                setting="sharpness",
                fix=f"leave out one of {bare[0]} and sharpness",
            )

    def check_method(self) -> None:
        """Refuse settings that the method has no use for.

        Raises:
            BadSetting: it names the first.
        """
        other = self.given(OFFSETS_ALONE if self.method == "style" else STYLE_ALONE)
        if other and self.method == "style":
            raise BadSetting(
                f"{other[0]} is of offsets", setting=other[0], fix="leave it out of a style calibration"
            )
        if other:
            raise BadSetting(
                f"{other[0]} is of a style calibration",
                setting=other[0],
                fix="add --style (method: style), or leave it out",
            )

    def given(self, names: tuple[str, ...]) -> list[str]:
        """Those of the settings that are not at their defaults."""
        defaults = {one.name: one.default for one in fields(self)}
        return [name for name in names if getattr(self, name) != defaults[name]]


STYLE_ALONE = (
    *("features", "own", "fix", "non_negative", "length_only", "sharpness"),
    *("with_offsets", "keep", "penalty", "folds", "family", "votes", "with_votes"),
)
OFFSETS_ALONE = ("over", "references", "link", "objective", "paired", "cross_fit")
