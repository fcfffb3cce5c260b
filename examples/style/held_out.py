"""Does a style calibration carry over to policies that nobody has rated? Five random folds of policies, and whole families left out.

    python examples/style/held_out.py [--scores FILE] [--name minilm] [--data FOLDER]

FOLDER (default: $CHARM_DATA, else ../shared/data beside the checkout) holds the scores of a small reward model on 46 Arena-rated policies'
responses to AlpacaEval prompts, the responses, and the ratings. Writes results/NAME_held_out.csv and results/NAME_weights.csv.
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path

import polars as pl

import charm_rm as charm
from charm_rm.style import Calibrator, save_calibrator, solve_style_offsets

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Solve twice, print and write what is left out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    default = os.environ.get("CHARM_DATA", HERE.parents[2] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--scores", type=Path, help="default: scores/minilm_alpaca_eval.parquet of the data")
    parser.add_argument("--name", default="minilm")
    parser.add_argument("--keep", type=float, default=0.5)
    parser.add_argument("--calibrator", type=Path, help="write the calibrator here, too")
    args = parser.parse_args()
    scores = charm.load(charm.Scores, args.scores or args.data / "scores/minilm_alpaca_eval.parquet")
    responses = charm.load(charm.Responses, args.data / "alpaca_eval/responses.parquet")
    rated = pl.read_csv(args.data / "alpaca_eval/arena_names.csv", schema_overrides={"rating": pl.Float64})
    ratings = charm.Ratings(rated.select("policy", "rating", "ci_low", "ci_high"))
    families = dict(pl.read_csv(HERE / "families.csv").iter_rows())
    rows = []
    for split, groups in (("random folds", None), ("whole families", families)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", charm.CharmWarning)
            found = solve_style_offsets(scores, responses, ratings, families=groups, keep=args.keep)
        rows.append(pl.DataFrame(found.held_out).insert_column(0, pl.lit(split).alias("left out")))
        if groups is None:
            weights(found).write_csv(HERE / "results" / f"{args.name}_weights.csv", float_precision=4)
            if args.calibrator:
                save_calibrator(found, args.calibrator, force=True)
    table = pl.concat(rows, how="vertical_relaxed")
    table.write_csv(HERE / "results" / f"{args.name}_held_out.csv", float_precision=4)
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=250, float_precision=3):
        print(table)


def weights(calibrator: Calibrator) -> pl.DataFrame:
    """The weights with their intervals, in the scores' unit for one standard deviation of the feature."""
    columns = ("name", "weight", "std_err", "ci_low", "ci_high")
    return pl.DataFrame([{c: getattr(f, c) for c in columns} for f in calibrator.features])


if __name__ == "__main__":
    main()
