"""What the model over-values: the weights of a style calibration, with their intervals."""

from __future__ import annotations

from collections.abc import Iterator

from ...style import Calibrator, FeatureWeight
from ..charts import Row, interval_rows
from ..gather import Findings
from ..words import clean, interval, number
from ._registry import Picture, both, figure
from ._rows import ends


@figure("over_values", title="What it over-values", section="style", needs=("calibrator",))
def over_values(_findings: Findings, calibrator: Calibrator) -> Iterator[Picture]:
    """One row a feature: what one standard deviation more of it adds, most over-valued first."""
    rows = [_row(one) for one in sorted(calibrator.features, key=lambda f: f.weight)]
    if not rows:
        return
    unit = "log-odds" if calibrator.unit == "log-odds" else "score units"
    yield both(
        lambda w: interval_rows(ends(rows), width=w, axis=f"added for one standard deviation more, {unit}"),
        alt=f"Weights of {len(rows)} features of responses with 95 % intervals.",
        caption=f"What one standard deviation more of a feature adds, in {unit}, with 95 % intervals. Below zero: the judge over-values it, "
        "and it is taken off.",
    )


def _row(one: FeatureWeight) -> Row:
    role = "even"
    if one.ci_low is not None and one.ci_high is not None and one.ci_low != one.ci_high:
        role = "over" if one.ci_high < 0 else "under" if one.ci_low > 0 else "even"
    shown = f"{number(one.weight, 3, signed=True)} {interval(one.ci_low, one.ci_high, 3, signed=True)}"
    name = clean(one.name)
    return Row(
        name=name, value=one.weight, low=one.ci_low, high=one.ci_high, role=role, tip=f"{name}\nadds {shown}"
    )
