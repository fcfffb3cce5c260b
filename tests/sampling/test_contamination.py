"""Prompts that benchmarks hold: cases by hand, and a slow twin."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from charm_rm.sampling.contamination import Benchmarks, Match, runs_of_words, shared

TEXTS = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=12).map(" ".join)


def test_runs_by_hand() -> None:
    assert runs_of_words("One, two; THREE four!", 3) == {"one two three", "two three four"}
    assert runs_of_words("One two", 3) == {"one two"}
    assert runs_of_words("?!", 3) == frozenset()


def test_overlaps_by_hand() -> None:
    bench = Benchmarks([("b, row 0", "a b c d e f"), ("b, row 1", "x y"), ("b, row 2", "p q r s")], n=3)
    assert len(bench) == 3
    # It holds two of the four runs of the first, and has three itself.
    assert bench.most_shared("a b c d z") == Match("b, row 0", 2 / 3)
    # A short benchmark prompt is matched as a whole, and within no longer text.
    assert bench.most_shared("X, y.") == Match("b, row 1", 1.0)
    assert bench.most_shared("now x y then") is None
    assert bench.most_shared("nothing of the kind") is None
    # An extract of a benchmark prompt is all of it shared.
    assert bench.most_shared("q r s") == Match("b, row 2", 1.0)


@given(texts=st.lists(TEXTS, min_size=1, max_size=5), text=TEXTS, n=st.integers(2, 4))
def test_the_largest_overlap_is_that_of_comparing_with_each(texts: list[str], text: str, n: int) -> None:
    found = Benchmarks([(str(i), t) for i, t in enumerate(texts)], n=n).most_shared(text)
    each = [shared(runs_of_words(text, n), runs_of_words(t, n)) for t in texts]
    if max(each) == 0:
        assert found is None
    else:
        assert found == Match(str(each.index(max(each))), max(each))
