"""What ``charm calibrate --style`` prints: first what it does on policies never rated, then the weights, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import counted
from ..estimates import signed
from .common import conclude, csv_table, echo, heading, print_frame

if TYPE_CHECKING:
    import polars as pl

    from ..style import Calibrator


# Said under figures, within 80 columns.
NO_BETTER = "NO BETTER THAN THE PLACEBO, sharpness fitted: noise alone does as well here."


def no_better_than_noise(found: Mapping[str, tuple[float, float | None]]) -> bool:
    """Whether the sharpness-fitted mismatch (after, placebo) is no lower than noise alone makes it, in the digits shown."""
    after, placebo = found.get("sharpness_fitted_mismatch", (0.0, None))
    return placebo is not None and round(after, 3) >= round(placebo, 3)


def calibrator_json(calibrator: Calibrator) -> dict[str, Any]:
    """The calibrator as its file holds it, with what was warned of."""
    return calibrator.to_json() | {"warnings": list(calibrator.provenance["warnings"])}


def print_calibrator(calibrator: Calibrator, *, top: int) -> None:
    """Print the figures on policies never rated, the weights, what is kept, the temperature, and the offsets where there are some."""
    conclude(_in_short(calibrator))
    csv_table(_weights(calibrator))
    _print_held_out(calibrator)
    if calibrator.features:
        _print_weights(calibrator, top=top)
    if calibrator.provenance.get("votes"):
        _print_votes(calibrator.provenance["votes"], top=top)
    _print_scale(calibrator)
    if calibrator.offsets:
        _print_offsets(calibrator, top=top)


def _weights(calibrator: Calibrator) -> pl.DataFrame:
    """The weights as they are; of a calibration of the scale alone, the temperature."""
    import polars as pl

    if not calibrator.features:
        return pl.DataFrame({"temperature": [calibrator.temperature]})
    fields = ("name", "weight", "ci_low", "ci_high")
    return pl.DataFrame(
        [{f: getattr(one, f) for f in fields} for one in calibrator.features], infer_schema_length=None
    )


def _in_short(calibrator: Calibrator) -> str:
    """The first figure on policies never rated, before and after."""
    from ..mismatch import METRICS
    from ..mismatch.metrics import in_order

    for row in in_order(calibrator.held_out):
        metric = METRICS[row["metric"]]
        after = metric.shown(row["after"], row["ci_low"], row["ci_high"])
        return f"policies never rated: {metric.label} {metric.shown(row['before'])} -> {after}"
    return f"T = {calibrator.temperature:.3g}"


def _print_held_out(calibrator: Calibrator) -> None:
    from ..mismatch.metrics import WHAT_P_IS, in_order

    about = calibrator.provenance
    folds = "whole families" if about["folds"] == "families" else f"{about['folds']} folds"
    heading("On policies and prompts that were not used to solve the weights")
    echo(
        f"  {counted(about['n_policies'], 'policy', 'policies')} in {folds}, {counted(about['n_prompts'], 'prompt')} in halves; before -> after [95 % CI]"
    )
    for row in in_order(calibrator.held_out):
        _print_figure(row)
    for row in calibrator.held_out:
        if row["metric"] == "soft_mismatch":
            echo("  mean |soft win rate - P|, at scales fitted without the policy and the prompt:")
            echo(f"    {row['before']:.3f} (T = 1) -> {row['after']:.3f}")
    echo(f"  {WHAT_P_IS}")
    if in_order(calibrator.held_out):
        echo("  placebo: noise added; length only: the same fit of words alone")
        if no_better_than_noise({r["metric"]: (r["after"], r["placebo"]) for r in calibrator.held_out}):
            echo(f"  {NO_BETTER}")
    echo()


def _print_figure(row: Mapping[str, Any]) -> None:
    """Two lines: before -> after with its interval, and the figures that it has to be read beside."""
    from ..mismatch import METRICS

    metric = METRICS[row["metric"]]
    after = metric.shown(row["after"], row["ci_low"], row["ci_high"])
    echo(f"  {metric.label}: {metric.shown(row['before'])} -> {after}")
    beside = [
        f"{name} {metric.shown(row[key])}"
        for name, key in (("noise floor", "floor"), ("placebo", "placebo"), ("length only", "length_only"))
        if row.get(key) is not None
    ]
    if row.get("difference") is not None and row.get("diff_ci_low") is not None:
        beside.insert(0, f"{metric.better} is better: {_better(row, metric.better)}")
    echo(f"    {'; '.join(beside)}")


def _better(row: Mapping[str, Any], wanted: str) -> str:
    """``yes``, ``no`` or ``unclear``: the interval of the change and the test both have to leave out no change."""
    from ..estimates import SIGNIFICANT

    low, high = row["diff_ci_low"], row["diff_ci_high"]
    if low <= 0 <= high or (row["p_value"] is not None and row["p_value"] > SIGNIFICANT):
        return "unclear"
    return "yes" if (high < 0) == (wanted == "lower") else "no"


def _print_weights(calibrator: Calibrator, *, top: int) -> None:
    import polars as pl

    rows = [
        {
            "feature": one.name,
            "adds": signed(one.weight, 3),
            "95 % CI": "-"
            if one.ci_low is None or one.ci_high is None
            else f"[{one.ci_low:+.3f}, {one.ci_high:+.3f}]",
            "the model": _reading(one.weight, one.ci_low, one.ci_high),
        }
        for one in sorted(calibrator.features, key=lambda f: -abs(f.weight))
    ]
    unit = "log-odds" if calibrator.unit == "log-odds" else "score"
    heading(f"What one standard deviation more of a feature adds to the {unit}")
    print_frame(pl.DataFrame(rows), title="Weights", limit=top or None)
    echo(f"  the {unit}'s own standard deviation within a prompt: {calibrator.spread:.3g}")
    echo()


def _print_votes(about: Mapping[str, Any], *, top: int) -> None:
    """The weights from policies' ratings beside those from votes on the responses."""
    import polars as pl

    def interval(row: Mapping[str, Any], whose: str) -> str:
        low, high = row[f"{whose}_ci_low"], row[f"{whose}_ci_high"]
        ends = "" if low is None or high is None else f" [{low:+.2f}, {high:+.2f}]"
        return f"{row[whose]:+.2f}{ends}"

    rows = [
        {
            "feature": row["feature"],
            "from policies": interval(row, "policies"),
            "from votes": interval(row, "votes"),
            "p (alike)": "-" if row["p_value"] is None else f"{row['p_value']:.2g}",
        }
        for row in about["weights"]
    ]
    heading(f"The same weights from {counted(about['n'], 'vote')} on {counted(about['prompts'], 'prompt')}")
    print_frame(pl.DataFrame(rows), title="Weights from policies and from votes", limit=top or None)
    echo()


def _reading(weight: float, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "over-values it" if weight < 0 else "under-values it" if weight > 0 else "as people"
    if low == high:
        return "(fixed)"
    return "over-values it" if high < 0 else "under-values it" if low > 0 else "unclear"


def _print_scale(calibrator: Calibrator) -> None:
    about = calibrator.provenance
    ends = about.get("temperature_ci")
    shown = "" if ends is None else f" [{ends[0]:.3g}, {ends[1]:.3g}]"
    heading(f"T = {calibrator.temperature:.3g}{shown}")
    echo("  sigmoid(margin / T) is the probability that people prefer a response,")
    echo("  fitted to policies' win rates")
    if not calibrator.features:
        return
    echo(f"Kept: {calibrator.kept:.2f} (correlation of margins before and after, within prompts)")
    how = "as given" if _given(about["tried"]) else "best on policies left out"
    echo(f"Penalty {calibrator.penalty:g}, fit temperature {calibrator.fit_temperature:.3g} spreads: {how}")


def _given(tried: Mapping[str, Any]) -> bool:
    return all(len(some) == 1 for some in tried.values())


def _print_offsets(calibrator: Calibrator, *, top: int) -> None:
    import polars as pl

    rows = sorted(calibrator.offsets.items(), key=lambda item: -abs(item[1]))
    frame = pl.DataFrame({"policy": [p for p, _ in rows], "offset": [d for _, d in rows]})
    echo()
    heading("What style leaves, as offsets of rated policies (in-sample)")
    print_frame(frame, title="Offsets", limit=top or None)
