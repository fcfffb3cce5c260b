"""Settings of the evaluation on benchmarks."""

from __future__ import annotations

from dataclasses import dataclass

from .definition import Settings, setting


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings(Settings):
    """Accuracy on benchmarks and alignment with the ratings, before and after (null: none)."""

    benchmarks: tuple[str, ...] = setting(
        (),
        "Benchmarks, by the names that `charm evaluate --list` shows; repeatable. `all`: every one with files below the data folder.",
        flags=("--benchmark",),
        metavar="NAME",
    )
    data: str | None = setting(
        None,
        "Folder with the benchmarks' original files, or a parent of several; or a dataset of the hub, `owner/name@revision`; "
        "or `hub` for the datasets that a benchmark itself names.",
        path="path or id",
    )
    pairs: str | None = setting(
        None,
        "A table of your own as a benchmark: pairs, several good against several bad responses, ratings, or the best of n; "
        "a `subset` column splits it.",
        flags=("--pairs", "--own"),
        path="path",
    )
    panel: bool = setting(
        False,
        "Also the bias panel, which is shipped: constructed pairs with a known right answer, a bias speaking for the other (docs/panel.md).",
    )
    limit: int | None = setting(None, "Evaluate a random sample of this many items per benchmark.", least=1)
    unchecked: bool = setting(
        False, "Evaluate even where over 5 % of a benchmark's tokens are unknown to the tokenizer."
    )
    placebos: bool = setting(
        False, "Also show what length alone (the longest, the shortest response) and noise score."
    )
    repeats: int = setting(
        1, "Ask the model this many times in all, to see how many of its verdicts change.", least=1, below=11
    )
