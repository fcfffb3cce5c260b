"""The page of several models: whole, closed to the network, and safe with any name."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from charm_rm.comparison import ModelComparison, compare_models
from charm_rm.report.comparison import render_comparison, write_comparison
from comparison.worlds import evaluation
from mismatch.planted import noise, ratings, scores

HOSTILE = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> ModelComparison:
    folder = tmp_path_factory.mktemp("evaluations")
    shared = noise(5, 300)
    rng = np.random.default_rng(0)
    folders = {n: evaluation(folder / str(i), rng.random(200) < p) for i, (n, p) in enumerate((("a", 0.9), (HOSTILE, 0.6)))}  # fmt: skip
    models = {"a": scores(shared + 0.3 * noise(1, 300)), HOSTILE: scores(shared + 0.3 * noise(2, 300), favour={"dog": 150})}  # fmt: skip
    return compare_models(models, ratings(), evaluations=folders, draws=200)


def test_the_page_says_who_is_dominated_and_shows_every_figure(found: ModelComparison) -> None:
    page = render_comparison(found)
    assert "is dominated by a</h1>" in page
    for text in (
        "Side by side",
        "Alignment against accuracy",
        "Favour, policy by policy",
        "Every difference",
    ):
        assert text in page
    assert page.count("<figure") == 3
    assert "quiz, %" in page


def test_a_name_is_text_and_nothing_is_fetched(found: ModelComparison) -> None:
    page = render_comparison(found)
    assert HOSTILE not in page
    assert "&lt;script&gt;alert" in page
    assert page.count("<script>") == 1
    assert "default-src &#39;none&#39;" in page
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)


def test_the_same_comparison_is_the_same_page(found: ModelComparison, tmp_path: Path) -> None:
    one = write_comparison(found, tmp_path / "one.html")
    assert one.read_text() == render_comparison(found)


def test_without_benchmarks_or_without_ratings_sections_are_left_out(tmp_path: Path) -> None:
    alone = compare_models({"a": scores(noise(0)), "b": scores(noise(1))}, ratings(), draws=0)
    page = render_comparison(alone)
    assert "Alignment against accuracy" not in page
    folders = {n: evaluation(tmp_path / n, np.arange(60) % k != 0) for n, k in (("a", 5), ("b", 3))}
    page = render_comparison(compare_models(evaluations=folders, draws=100))
    assert "Favour, policy by policy" not in page
    assert "difference" in page
