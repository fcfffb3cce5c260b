"""A draw: a part of the source without duplicates, an account that adds up, the same however the rows are split."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charm_rm.conversations import prompt_hash
from charm_rm.errors import CharmWarning, ConfigError, MissingExtra, SchemaError
from charm_rm.sampling import Drawn, Part, draw_prompts
from charm_rm.settings import SampleSettings

WORDS = ("why", "how", "list", "red", "blue", "long", "short", "tree", "stone", "7")
PROMPTS = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)
EXACT = SampleSettings(near_duplicates=1.0)


def parts(frame: pl.DataFrame, sizes: Sequence[int] = (1_000_000,), name: str = "all") -> Iterator[Part]:
    """The rows in batches of these sizes, again and again."""
    first = 0
    for size in itertools.cycle(sizes):
        if first >= frame.height:
            return
        yield Part(name, first, frame[first : first + size])
        first += size


def draw(rows: Sequence[Any], how: SampleSettings = EXACT, **more: Any) -> Drawn:
    return draw_prompts(parts(pl.DataFrame({"prompt": rows})), how, **more)


def told(drawn: Drawn) -> dict[str, int]:
    return dict(drawn.ledger.iter_rows())


@settings(max_examples=25)
@given(
    rows=st.lists(PROMPTS | st.none(), min_size=1, max_size=60),
    n=st.integers(1, 20),
    seed=st.integers(0, 5),
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    near=st.sampled_from([0.5, 0.8, 1.0]),
)
def test_a_sample_is_a_part_of_the_source_and_every_row_is_accounted_for(
    rows: list[str | None], n: int, seed: int, sizes: list[int], near: float
) -> None:
    if near < 1:
        pytest.importorskip("datasketch", reason="needs the [sample] extra")
    distinct = {row.strip() for row in rows if row and row.strip()}
    if not distinct:
        return
    how = SampleSettings(n=n, near_duplicates=near, min_words=2, max_chars=30)
    frame = pl.DataFrame({"prompt": rows}, schema={"prompt": pl.String})
    if not any(len(p) <= 30 and len(p.split()) >= 2 for p in distinct):
        with pytest.raises(SchemaError, match="no prompt is left"):
            draw_prompts(parts(frame), how)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)  # fewer may be left than asked for
        drawn = draw_prompts(parts(frame), how, seed=seed, list_removed=True)
        again = draw_prompts(parts(frame, sizes), how, seed=seed)
    sample = drawn.prompts.frame
    assert set(sample["prompt"]) <= {p for p in rows if p}
    assert sample["prompt"].str.strip_chars().n_unique() == sample.height <= n
    assert sample["prompt_id"].to_list() == [prompt_hash(p) for p in sample["prompt"]]
    assert sum(told(drawn).values()) == len(rows)
    assert told(drawn)["drawn"] == sample.height
    assert told(drawn).get("exact duplicate", 0) == sum(bool(r and r.strip()) for r in rows) - len(distinct)
    assert drawn.removed is not None
    assert drawn.removed.height + told(drawn).get("not drawn", 0) + sample.height == len(distinct)
    assert again.prompts.frame.equals(sample)
    assert again.ledger.equals(drawn.ledger)


@settings(max_examples=10)
@given(seed=st.integers(0, 1000), small=st.integers(1, 20), order=st.randoms())
def test_a_smaller_sample_is_a_part_of_a_larger_one_whatever_the_order_of_rows(
    seed: int, small: int, order: Any
) -> None:
    rows = [f"ask {i}" for i in range(40)]
    large = draw(rows, SampleSettings(n=25, near_duplicates=1.0), seed=seed)
    rows = list(rows)
    order.shuffle(rows)
    part = draw(rows, SampleSettings(n=small, near_duplicates=1.0), seed=seed)
    assert set(part.prompts.frame["prompt"]) <= set(large.prompts.frame["prompt"])


def test_strata_are_drawn_in_proportion_or_alike() -> None:
    frame = pl.DataFrame(
        {"prompt": [f"ask {i}" for i in range(100)], "topic": ["a"] * 70 + ["b"] * 27 + [None] * 3}
    )
    how = {"n": 20, "near_duplicates": 1.0, "stratify": "topic"}
    drawn = draw_prompts(parts(frame), SampleSettings(**how))
    assert dict(drawn.prompts.frame["stratum"].value_counts().iter_rows()) == {"a": 14, "b": 5, "(none)": 1}
    assert drawn.strata.select("stratum", "source", "sample").rows() == [
        ("a", 70, 14),
        ("b", 27, 5),
        ("(none)", 3, 1),
    ]
    alike = draw_prompts(parts(frame), SampleSettings(**how, allocation="equal"))
    assert dict(alike.prompts.frame["stratum"].value_counts().iter_rows()) == {"a": 9, "b": 8, "(none)": 3}
    assert alike.prompts.frame["topic"].null_count() == 3


def test_the_account_of_a_case_by_hand() -> None:
    pytest.importorskip("datasketch", reason="needs the [sample] extra")
    rows = [
        "Why is the sky blue today, and not green?",
        "Why is the sky blue today, and not green? ",  # the same but for white space
        "why is  the sky blue today, and not green?",  # nearly the same
        None,
        "  ",
        "Hi",
        "Name all the moons of Jupiter in the order of their discovery, please.",
        "Write a poem about autumn leaves that fall on a quiet lake.",
    ]
    bench = pl.DataFrame({"question": ["name all the moons of Jupiter in the order of their discovery"]})
    how = SampleSettings(n=1, min_words=2, benchmarks=("bench.csv",))
    drawn = draw_prompts(
        parts(pl.DataFrame({"prompt": rows})),
        how,
        benchmarks=parts(bench, name="bench.csv"),
        list_removed=True,
    )
    assert told(drawn) == {
        "no prompt: the prompt is empty": 1,
        "no prompt: the prompt is missing": 1,
        "exact duplicate": 1,
        "fewer than 2 words": 1,
        "in a benchmark": 1,
        "near duplicate": 1,
        "not drawn": 1,
        "drawn": 1,
    }
    assert drawn.removed is not None
    assert drawn.removed.select("row", "reason", "matched", "similarity").rows() == [
        (2, "near duplicate", prompt_hash(str(rows[0])), 1.0),
        (5, "fewer than 2 words", None, None),
        (6, "in a benchmark", "bench.csv, row 0", 1.0),
    ]
    assert drawn.contaminated["prompt"].to_list() == [rows[6]]
    # A copy counts with the length of the first: 2, 41, 41, 41, 59 and 70 characters.
    chars = drawn.lengths.filter((pl.col("of") == "source") & (pl.col("unit") == "chars"))
    assert chars.row(0)[2:] == (2, 41, 41, 59, 70)


def test_fewer_than_asked_for_are_all_kept_and_it_is_said() -> None:
    with pytest.warns(CharmWarning, match="5 prompts asked for, and only 2 are left"):
        drawn = draw(["one", "two"], SampleSettings(n=5, near_duplicates=1.0))
    assert len(drawn.prompts) == 2


def test_ids_of_the_source_stay_and_one_that_stands_for_two_prompts_is_refused() -> None:
    frame = pl.DataFrame({"prompt_id": [7, 8, 7], "prompt": ["one", "two", "one"]})
    assert draw_prompts(parts(frame), EXACT).prompts.frame["prompt_id"].to_list() == ["7", "8"]
    hashed = draw_prompts(parts(frame), SampleSettings(near_duplicates=1.0, prompt_ids="text"))
    assert hashed.prompts.frame["prompt_id"].to_list() == [prompt_hash("one"), prompt_hash("two")]
    other = pl.DataFrame({"prompt_id": ["8"], "prompt": ["three"]})
    both = itertools.chain(parts(frame), parts(other, name="other"))
    with pytest.raises(SchemaError, match="'8' is of one prompt in all, row 1, and of another") as error:
        draw_prompts(both, EXACT)
    assert error.value.where == "other, row 0"
    assert "--prompt-ids text" in str(error.value)


def test_columns_are_carried_along_and_none_is_lost_to_a_name_of_ours() -> None:
    frame = pl.DataFrame({"prompt": ["one"], "source": ["web"], "n": [3], "row": ["x"]})
    how = SampleSettings(near_duplicates=1.0, keep=("source", "n", "row"))
    sample = draw_prompts(parts(frame, name="file.csv"), how).prompts.frame
    assert sample.drop("prompt_id").row(0, named=True) == {
        "prompt": "one",
        "source": "file.csv",
        "row": 0,
        "source_source": "web",
        "n": 3,
        "source_row": "x",
    }


@pytest.mark.parametrize(
    ("frame", "error", "match"),
    [
        (pl.DataFrame({"answer": ["x"]}), SchemaError, "no column is a prompt; found 'answer'"),
        (pl.DataFrame({"prompt": []}, schema={"prompt": pl.String}), SchemaError, "the source has no rows"),
        (pl.DataFrame({"prompt": ["", None]}), SchemaError, "no row has a prompt"),
        (pl.DataFrame({"prompt": ["a"], "question": ["b"], "input": ["c"]}), None, ""),
        (pl.DataFrame({"question": ["b"], "input": ["c"]}), SchemaError, "may be any of the columns"),
        (pl.DataFrame({"chosen": ["a"], "rejected": ["b"]}), SchemaError, "the pair has no prompt"),
    ],
)
def test_sources_without_prompts(frame: pl.DataFrame, error: type[Exception] | None, match: str) -> None:
    if error is None:
        assert draw_prompts(parts(frame), EXACT).prompts.frame["prompt"].to_list() == ["a"]
        return
    with pytest.raises(error, match=match):
        draw_prompts(parts(frame), EXACT)


def test_columns_that_are_not_there_are_refused() -> None:
    for more in ({"stratify": "topic"}, {"keep": ("topic",)}, {"columns": ("prompt=topic",)}):
        with pytest.raises(ConfigError, match="no column 'topic'") as error:
            draw(["one"], SampleSettings(near_duplicates=1.0, **more))
        assert "all" in str(error.value.where)


def test_benchmarks_without_a_prompt_are_refused() -> None:
    how = SampleSettings(near_duplicates=1.0, benchmarks=("empty.csv",))
    empty = pl.DataFrame({"prompt": [""]})
    with pytest.raises(SchemaError, match="hold no prompt"):
        draw(["one"], how, benchmarks=parts(empty))


def test_a_missing_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    from charm_rm.sampling import near

    near.SIGNERS["datasketch"].cache_clear()  # type: ignore[attr-defined]

    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingExtra, match=r"finding near duplicates needs datasketch"):
        draw(["one", "two"], SampleSettings())


def test_languages_are_told_and_filtered() -> None:
    pytest.importorskip("py3langid", reason="needs the [sample] extra")
    rows = [
        "Write a short story about a dog that learns to swim in the river.",
        "Schreibe eine kurze Geschichte über einen Hund, der im Fluss schwimmen lernt.",
        "Explain the difference between a virus and a bacterium to a child.",
        "ok",
    ]
    drawn = draw(rows, SampleSettings(near_duplicates=1.0, languages=("en",)))
    assert drawn.prompts.frame["prompt"].to_list() == [rows[0], rows[2]]
    assert told(drawn) == {"another language": 1, "language cannot be told": 1, "drawn": 2}
    assert drawn.languages_of is None
    assert set(drawn.languages["language"]) == {"en", "de", "und"}
    with pytest.raises(ConfigError, match="'english' is not known"):
        draw(rows, SampleSettings(languages=("english",)))
