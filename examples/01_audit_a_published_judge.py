"""Audit a judge from published figures alone: no scores, no model.

python examples/01_audit_a_published_judge.py
"""

from __future__ import annotations

import warnings

import polars as pl

import charm_rm as charm

warnings.simplefilter("ignore", charm.CharmWarning)  # the shipped Arena scores carry no intervals


def main() -> None:
    """Print favour and sharpness for raw and for length-controlled win rates, and what length control changed."""
    judge = charm.load_example()
    raw = charm.audit(judge.win_rates, judge.ratings)
    controlled = charm.audit(judge.length_controlled, judge.ratings)
    print(f"{judge.name} against {judge.baseline}")
    for name, found in (("raw", raw), ("length-controlled", controlled)):
        slope = found.sharpness
        print(f"  {name}: sharpness {slope.value:.2f} [{slope.ci_low:.2f}, {slope.ci_high:.2f}]")
    both = raw.favouritism.frame.select("policy", raw="favour").join(
        controlled.favouritism.frame.select("policy", controlled="favour"), on="policy"
    )
    moved = both.with_columns(change=pl.col("controlled") - pl.col("raw")).sort("change")
    print("Favour in Elo points; length control took most from and gave most to:")
    print(pl.concat([moved.head(3), moved.tail(3)]))


if __name__ == "__main__":
    main()
