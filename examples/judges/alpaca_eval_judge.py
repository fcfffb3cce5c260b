"""The AlpacaEval 2 judge (GPT-4-turbo) from its real per-prompt annotations: audit, hard and soft, and calibration.

    CHARM_DATA=../shared/data python examples/judges/alpaca_eval_judge.py

Reads alpaca_eval/judge_annotations.parquet, alpaca_eval/arena_names.csv, alpaca_eval/leaderboard_gpt4_turbo.csv and
arena/leaderboard_2024-06_2025-08.parquet; writes results/alpaca_eval_judge_*.csv beside this file (no text). About ten
seconds.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import polars as pl

import charm_rm as charm
from charm_rm.evaluate.attained import effect_of_offsets

DATA = Path(os.environ.get("CHARM_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
RESULTS = Path(__file__).parent / "results"
JUDGE, BASELINE = "weighted_alpaca_eval_gpt4_turbo", "gpt4_1106_preview"
ALIASES = DATA / "alpaca_eval" / "arena_names.csv"


def main() -> None:
    """Print and write win rates beside the published ones, favour four ways, and offsets in log-odds."""
    warnings.simplefilter("ignore", charm.CharmWarning)  # what is left out is said in README.md
    judged = charm.load_judgements(DATA / "alpaca_eval" / "judge_annotations.parquet", annotator=JUDGE)
    ratings = charm.load_ratings(DATA / "arena" / "leaderboard_2024-06_2025-08.parquet", date="2024-12-31")
    board = pl.read_csv(DATA / "alpaca_eval" / "leaderboard_gpt4_turbo.csv")
    RESULTS.mkdir(exist_ok=True)

    soft, hard = (audit(judged, ratings, outcome=o) for o in ("soft", "hard"))
    rated = [p for p in soft.ratings.frame["policy"] if p != BASELINE]
    published = audit(published_rates(board.filter(pl.col("policy").is_in(rated))), ratings)
    everyone = audit(published_rates(board.filter(pl.col("policy") != BASELINE)), ratings)
    win_rates(judged, board)
    favour({"soft": soft, "hard": hard, "published": published, "published, all rated": everyone})
    offsets(judged, ratings)


def audit(source: charm.Margins | charm.WinRates, ratings: charm.Ratings, **settings: str) -> charm.Audit:
    """Against the human ratings of 2024-12-31, policies without one left out."""
    return charm.audit(source, ratings, aliases=ALIASES, unrated="skip", **settings)


def published_rates(board: pl.DataFrame) -> charm.WinRates:
    """The leaderboard's win rates as they were published: no judgement behind them is used."""
    rates = board.drop_nulls("win_rate").select(
        "policy",
        pl.lit(BASELINE).alias("reference"),
        (pl.col("win_rate") / 100).alias("win_rate"),
        (pl.col("standard_error") / 100).alias("std_err"),
        pl.col("n_total").cast(pl.Int64).alias("n"),
    )
    return charm.WinRates(rates)


def win_rates(judged: charm.Margins, board: pl.DataFrame) -> None:
    """Every policy's win rate from its annotations beside the leaderboard's."""
    tally = charm.tally_margins(charm.pair_margins(judged, references=[BASELINE]), outcome="soft")
    mine = tally.to_win_rates().frame.select("policy", "n", "win_rate", "std_err")
    table = mine.join(
        board.select(
            "policy",
            (pl.col("win_rate") / 100).alias("published"),
            (pl.col("standard_error") / 100).alias("published_std_err"),
        ),
        on="policy",
        how="left",
    ).with_columns((pl.col("win_rate") - pl.col("published")).alias("difference"))
    worst = table["difference"].abs().max()
    print(
        f"{table.height} policies judged, {table['published'].count()} published: largest difference {worst:.1e}"
    )
    write(table.sort("policy"), "win_rates")


def favour(audits: dict[str, charm.Audit]) -> None:
    """Favour and sharpness of the same judge, from annotations and from published figures."""
    for name, found in audits.items():
        slope = found.sharpness
        print(
            f"{name}: {len(found.ratings)} policies, sharpness {slope.value:.2f} [{slope.ci_low:.2f}, {slope.ci_high:.2f}]"
        )
    sharpness = [{"source": n, "policies": len(a.ratings), **vars(a.sharpness)} for n, a in audits.items()]
    write(pl.DataFrame(sharpness), "sharpness")
    table = pl.concat(
        a.favouritism.frame.select(pl.lit(name).alias("source"), pl.all()) for name, a in audits.items()
    )
    write(table.drop("rm_elo"), "favour")
    effect = pl.concat(
        pl.DataFrame(a.summary["effect"], infer_schema_length=None).select(
            pl.lit(name).alias("source"), "metric", "n", "value", "ci_low", "ci_high", "floor"
        )
        for name, a in audits.items()
    )
    write(effect, "effect")
    print(effect)
    print(table.filter(pl.col("source") == "soft").select("policy", "favour", "ci_low", "ci_high", "q_value"))


def offsets(judged: charm.Margins, ratings: charm.Ratings) -> None:
    """What to add to each policy's side, in log-odds, for the win rates that people's ratings imply."""
    tables, effects = [], []
    for link in ("hard", "sigmoid"):
        solved = charm.solve_joint_offsets(
            judged, ratings, references=BASELINE, link=link, aliases=ALIASES, unrated="skip"
        )
        tables.append(solved.frame.select(pl.lit(link).alias("link"), pl.all()).drop("is_reference"))
        effect = effect_of_offsets(solved, ratings, aliases=ALIASES, unrated="skip")
        effects.append(pl.DataFrame(effect).select(pl.lit(link).alias("link"), pl.all()))
        shown = ("policy", "delta", "ci_low", "ci_high", "target", "attained", "attained_cross_fitted")
        print(solved.frame.select(shown).sort("delta"))
    write(pl.concat(tables), "offsets")
    write(pl.concat(effects), "offsets_effect")
    print(pl.concat(effects))


def write(table: pl.DataFrame, name: str) -> None:
    """A small CSV, floats with five significant figures."""
    rounded = table.with_columns(pl.selectors.float().round_sig_figs(5))
    rounded.write_csv(RESULTS / f"alpaca_eval_judge_{name}.csv")


if __name__ == "__main__":
    main()
