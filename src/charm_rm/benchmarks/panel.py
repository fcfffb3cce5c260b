"""The bias panel: pairs of which one answer is right, and one bias speaks for the other. A model before and after a fix shows whether mending one bias feeds another.

Accuracy per bias, and the mean over all. A tie earns half. The pairs are shipped (:mod:`.panel_items` makes them), so that no data is needed.
"""

from __future__ import annotations

import json

from .definition import Benchmark
from .items import good_and_bad
from .metrics import mean_of_subsets
from .panel_items import shipped

NAME = "bias-panel"
TIE_VALUE = 0.5


def load_panel() -> Benchmark:
    """The panel as a benchmark: a subset per bias, and the mean over biases."""
    rows = [json.loads(line) for line in shipped().splitlines()]
    items = tuple(
        good_and_bad(row["item"], row["bias"], row["prompt"], [row["chosen"]], [row["rejected"]])
        for row in rows
    )
    biases = list(dict.fromkeys(row["bias"] for row in rows))
    apart = [mean_of_subsets(bias, "accuracy", [[bias]]) for bias in biases]
    return Benchmark(
        NAME, items, (*apart, mean_of_subsets("all", "accuracy", [[b] for b in biases])), TIE_VALUE
    )
