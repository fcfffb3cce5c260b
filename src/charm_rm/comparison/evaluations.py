"""Folders of ``charm evaluate`` as evidence of a model: its figures, and what every prompt adds to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ..errors import SchemaError, UnreadableFile, listing
from ..evaluate.contributions import SCHEMA
from ..evaluate.draws import drawn_rates
from ..store import read_frame

FIGURE = ["benchmark", "subset", "metric"]
_ACCURACIES = (*FIGURE, "n", "accuracy", "ci_low", "ci_high", "partial")
_CLOSE = 1e-6


@dataclass(frozen=True, eq=False)
class Evaluated:
    """A model on benchmarks: ``figures``, a row per metric, and ``credits``, a row per figure, part and item of it."""

    figures: pl.DataFrame
    credits: pl.DataFrame

    @property
    def headlines(self) -> list[tuple[str, str, str]]:
        """Benchmark, subset and metric of each benchmark's last figure: over all of it."""
        last = self.figures.group_by("benchmark", maintain_order=True).last()
        return [(row["benchmark"], row["subset"], row["metric"]) for row in last.iter_rows(named=True)]

    def of(self, figure: Sequence[str]) -> pl.DataFrame:
        """The credits of one figure, sorted by part and item; no rows where it is no mean over prompts."""
        wanted = pl.all_horizontal(pl.col(c) == value for c, value in zip(FIGURE, figure, strict=True))
        return self.credits.filter(wanted).sort("part", "item")


def is_evaluation(path: Path) -> bool:
    """Whether this is a folder that ``charm evaluate -o`` wrote."""
    return path.is_dir() and (path / "evaluation.json").is_file()


def read_evaluation(folder: str | Path) -> Evaluated:
    """Read the figures of a folder that ``charm evaluate -o`` wrote, with what every prompt adds to them.

    Raises:
        UnreadableFile: the folder has no figures of benchmarks, or was written by another version of charm.
        SchemaError: a column is missing, a number is not finite, or figures and credits do not belong together.
    """
    folder = Path(folder)
    for name, fix in (
        ("evaluation.json", "give the folder that charm evaluate -o wrote"),
        (
            "benchmarks.parquet",
            "evaluate the model with --benchmark or --pairs: this folder has no figures of benchmarks",
        ),
        (
            "credits.parquet",
            "another version of charm wrote this folder, without what each prompt adds to a figure; run the same charm evaluate "
            "again (scores come out of its store)",
        ),
    ):
        if not (folder / name).is_file():
            raise UnreadableFile(f"there is no {name}", where=str(folder), fix=fix)
    figures = _columns(folder / "benchmarks.parquet", _ACCURACIES)
    credits = _columns(folder / "credits.parquet", tuple(SCHEMA))
    _check(folder, figures, credits)
    return Evaluated(figures, credits)


def _columns(path: Path, wanted: Sequence[str]) -> pl.DataFrame:
    frame = read_frame(path)
    if missing := [name for name in wanted if name not in frame.columns]:
        raise SchemaError(
            f"column {listing(missing)} is missing: another version of charm wrote it",
            where=str(path),
            fix="run the same charm evaluate again (scores come out of its store)",
        )
    return frame.select(wanted)


def _check(folder: Path, figures: pl.DataFrame, credits: pl.DataFrame) -> None:
    for name, values in (
        ("accuracy", figures["accuracy"]),
        ("credit", credits["credit"]),
        ("weight", credits["weight"]),
    ):
        if values.null_count() or not bool(values.cast(pl.Float64).is_finite().all()):
            raise SchemaError(
                f"a number in column {name!r} is missing or not finite",
                where=str(folder),
                fix="run charm evaluate again",
            )
    keys = credits.select(*FIGURE, "part", "item")
    if keys.is_duplicated().any():
        raise SchemaError(
            "an item stands twice in a figure",
            where=str(folder / "credits.parquet"),
            fix="run charm evaluate again",
        )
    counted = figure_values(credits)
    both = figures.join(counted, on=FIGURE, how="inner")
    apart = both.filter((pl.col("accuracy") - pl.col("value")).abs() > _CLOSE)
    if apart.height:
        row = apart.row(0, named=True)
        raise SchemaError(
            f"{row['benchmark']}, {row['subset']}: the figure is {row['accuracy']:.4f}, but its items make {row['value']:.4f}",
            where=str(folder),
            fix="the files are of two runs: run charm evaluate again",
        )


def figure_values(credits: pl.DataFrame) -> pl.DataFrame:
    """Σ over parts of weight times mean credit, by figure: benchmark, subset, metric, value."""
    parts = credits.group_by(*FIGURE, "part", maintain_order=True).agg(
        pl.col("weight").first() * pl.col("credit").mean()
    )
    return parts.group_by(FIGURE, maintain_order=True).agg(value=pl.col("weight").sum())


# --- two models on the same items -----------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Contrast:
    """A figure of one model less that of another: the value, draws of it, and values with the two exchanged at random within prompts.

    ``same``: both earn the very same credit on every item.
    """

    value: float
    baseline_value: float
    n: int
    draws: np.ndarray
    exchanged: np.ndarray
    same: bool = False

    @property
    def difference(self) -> float:
        """The first model's figure minus the second's."""
        return self.value - self.baseline_value


def common_items(evaluated: Mapping[str, Evaluated], figure: Sequence[str]) -> dict[str, pl.DataFrame] | None:
    """The credits of one figure on the items that all models have; None where the figure is no mean over prompts, or none are shared."""
    frames = {name: one.of(figure) for name, one in evaluated.items()}
    shared: pl.DataFrame | None = None
    for frame in frames.values():
        keys = frame.select("part", "item", "prompt", "weight")
        shared = keys if shared is None else shared.join(keys, on=keys.columns, how="semi")
    if shared is None or shared.height == 0:
        return None
    if shared["part"].n_unique() < max(frame["part"].n_unique() for frame in frames.values()):
        return None  # a part of the figure is gone: what is left is another figure
    key = ["part", "item"]
    return {name: shared.select(key).join(frame, on=key).sort(key) for name, frame in frames.items()}


def contrast(one: pl.DataFrame, other: pl.DataFrame, *, draws: int, seed: int, low: float = -1.0) -> Contrast:
    """Two models on the same items of a figure, in the same order; ``low``: the least that their credits can differ by."""
    x, y = one["credit"].to_numpy(), other["credit"].to_numpy()
    share, parts = _shares(one)
    prompts = one["prompt"].rank("dense").to_numpy().astype(np.int64) - 1
    rng = np.random.default_rng(seed)
    gap = x - y
    reach = max(1.0, float(np.abs(gap).max()))
    drawn = bootstrap(gap, share, parts, prompts, draws=draws, rng=rng, ends=(low * reach, reach))
    flips = rng.integers(0, 2, (draws, int(prompts.max()) + 1)) * 2.0 - 1.0
    by_prompt = np.bincount(prompts, weights=share * gap, minlength=flips.shape[1])
    return Contrast(
        float(share @ x), float(share @ y), one.height, drawn, flips @ by_prompt, same=not gap.any()
    )


def bootstrap(
    values: np.ndarray,
    share: np.ndarray,
    parts: np.ndarray,
    prompts: np.ndarray,
    *,
    draws: int,
    rng: np.random.Generator,
    ends: tuple[float, float] | None = None,
) -> np.ndarray:
    """(draws,) Bayesian bootstrap of Σ_p w_p mean_p over whole prompts: each part's mean is weighted by its prompts' weights.

    With ``ends``, the least and the most that a value can be, it is drawn as an evaluation's figures are
    (:func:`~charm_rm.evaluate.draws.drawn_rates`), with one pseudo-prompt: with few prompts intervals would be too narrow.
    """
    weights = rng.standard_exponential((draws, int(prompts.max()) + 1))
    rows = [parts == part for part in np.unique(parts)]
    sizes = np.array([share[at].sum() for at in rows])
    low, high = ends or (0.0, 1.0)
    scaled = (values - low) / (high - low)
    sums = np.stack([weights[:, prompts[at]] @ scaled[at] for at in rows], axis=1)
    totals = np.stack([weights[:, prompts[at]].sum(axis=1) for at in rows], axis=1)
    rates = sums / totals
    if ends is not None:
        pseudo = rng.standard_gamma(0.5 * np.abs(sizes) / np.abs(sizes).sum(), (2, draws, len(rows)))
        rates = drawn_rates(
            sums, totals, pseudo,
            means=np.array([scaled[at].mean() for at in rows]), units=np.array([at.sum() for at in rows]),
            prompts=np.array([len(np.unique(prompts[at])) for at in rows]),
        )  # fmt: skip
    drawn: np.ndarray = (low + (high - low) * rates) @ sizes
    return (
        drawn if ends is None or (sizes < 0).any() else np.clip(drawn, *(end * sizes.sum() for end in ends))
    )


def _shares(frame: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """What one unit of an item's credit adds to the figure, weight / items of its part; and the part."""
    share = frame.select(pl.col("weight") / pl.len().over("part")).to_series().to_numpy()
    return share, frame["part"].to_numpy()
