"""Style control from texts: the same fit as from columns that were counted before, in every layout of votes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from charm_rm import fit_ratings, load_battles
from charm_rm.errors import NotIdentifiable, SchemaError
from charm_rm.features import FEATURES
from charm_rm.ratings.style_counts import with_style_counts
from charm_rm.tables import Battles, Ratings

STYLE = ("words", "list_items", "type_token_ratio")


def votes(n: int = 60) -> pl.DataFrame:
    """Votes of three policies with what they wrote; ``_counted`` has what a person would count."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(n):
        a, b = rng.choice(3, size=2, replace=False)
        said = [(int(rng.integers(1, 9)), int(rng.integers(0, 4))) for _ in "ab"]
        texts = ["word " * words + "\n- and" * items for words, items in said]
        rows.append(
            (f"m{a}", f"m{b}", str(rng.choice(["a", "b", "tie"])), f"Say {i}.", *texts, *said[0], *said[1])
        )
    names = [
        "policy_a",
        "policy_b",
        "winner",
        "prompt",
        "response_a",
        "response_b",
        "n_a",
        "i_a",
        "n_b",
        "i_b",
    ]
    return pl.DataFrame(rows, schema=names, orient="row")


def counted(frame: pl.DataFrame) -> Battles:
    """The same votes with numeric columns, counted by hand, and no text."""
    added = {}
    for side in "ab":
        words, items = frame[f"n_{side}"] + frame[f"i_{side}"], frame[f"i_{side}"]
        added[f"words_{side}"], added[f"list_items_{side}"] = words, items
        added[f"type_token_ratio_{side}"] = (1 + (items > 0).cast(pl.Int64)) / words
    return Battles(frame.select("policy_a", "policy_b", "winner").with_columns(**added))


def same(one: Ratings, other: Ratings) -> bool:
    """Ratings, errors and coefficients agree."""
    numbers = [np.allclose(one.frame[c], other.frame[c], rtol=1e-9) for c in ("rating", "std_err")]
    coefficients = [
        one.provenance["style"][s]["coefficient"]
        == pytest.approx(other.provenance["style"][s]["coefficient"])
        for s in STYLE
    ]
    return all(numbers) and all(coefficients) and one.frame["policy"].equals(other.frame["policy"])


def as_turns(text: str) -> list[str | None]:
    """The turns of one side."""
    return [text, None]


def as_parts(text: str) -> list[dict[str, object]]:
    """An Arena conversation with an image in the question, which no style looks at, and content in parts."""
    question = {"role": "user", "content": [{"type": "image", "image": "x"}]}
    return [question, {"role": "assistant", "content": [{"type": "text", "text": text}]}]


def as_messages(text: str) -> list[dict[str, str]]:
    """An Arena conversation of two turns; the assistant's texts are counted together."""
    first, _, rest = text.partition("\n")
    turns = [("user", "- no\n- item"), ("assistant", first), ("user", "more"), ("assistant", rest)]
    return [{"role": role, "content": content} for role, content in turns]


def test_texts_give_the_fit_of_columns_counted_before() -> None:
    frame = votes()
    found = fit_ratings(Battles(frame), style=STYLE)
    assert same(found, fit_ratings(counted(frame), style=STYLE))
    assert found.provenance["style_counts"] == {name: FEATURES[name].version for name in STYLE}


@pytest.mark.parametrize("form", [as_turns, as_messages])
def test_conversations_and_turns_are_read_as_texts(form: Callable[[str], object]) -> None:
    frame = votes()
    columns = "response" if form is as_turns else "conversation"
    sides = {f"{columns}_{s}": [form(t) for t in frame[f"response_{s}"]] for s in "ab"}
    read = frame.drop("response_a", "response_b").with_columns(**{k: pl.Series(v) for k, v in sides.items()})
    assert same(fit_ratings(Battles(read), style=STYLE), fit_ratings(counted(frame), style=STYLE))


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
@pytest.mark.parametrize("form", [str, as_turns, as_messages, as_parts])
def test_the_arenas_and_kaggles_files(tmp_path: Path, suffix: str, form: Callable[[str], object]) -> None:
    frame = votes()
    columns = "conversation" if form in (as_messages, as_parts) else "response"
    winner = pl.col("winner").replace({"a": "model_a", "b": "model_b"})
    table = frame.select(pl.col("policy_a").alias("model_a"), pl.col("policy_b").alias("model_b"), winner)
    texts = {f"{columns}_{s}": [form(t) for t in frame[f"response_{s}"]] for s in "ab"}
    path = tmp_path / f"votes{suffix}"
    if suffix == ".jsonl":
        rows = zip(table.to_dicts(), *texts.values(), strict=True)
        path.write_text(
            "\n".join(json.dumps(row | dict(zip(texts, said, strict=True))) for row, *said in rows)
        )
    else:
        as_text = suffix == ".csv" or form is as_parts  # parts of several kinds have no type in Parquet
        cells = {
            k: [json.dumps(t) if as_text and form is not str else t for t in v] for k, v in texts.items()
        }
        table = table.with_columns(**{k: pl.Series(v) for k, v in cells.items()})
        table.write_csv(path) if suffix == ".csv" else table.write_parquet(path)
    found = fit_ratings(load_battles(path, style=STYLE), style=STYLE)
    assert same(found, fit_ratings(counted(frame), style=STYLE))
    assert f"{columns}_a" not in load_battles(path).frame.columns


def test_columns_that_are_there_are_taken_as_they_are() -> None:
    frame = votes().with_columns(words_a=pl.col("n_a"), words_b=pl.col("n_b"))
    found = with_style_counts(Battles(frame), ["words", "bold"])
    assert found.frame["words_a"].to_list() == frame["n_a"].to_list()
    assert found.provenance["style_counts"] == {"bold": 1}
    with pytest.raises(SchemaError, match="'words_b' is missing"):
        fit_ratings(Battles(frame.drop("words_b")), style=["words"])


def test_overlap_is_with_what_the_user_said() -> None:
    frame = votes(4).with_columns(response_a=pl.lit("say"), response_b=pl.lit("no"))
    found = with_style_counts(Battles(frame), ["prompt_overlap"]).frame
    assert found["prompt_overlap_a"].to_list() == [1.0] * 4
    assert found["prompt_overlap_b"].to_list() == [0.0] * 4
    talks = [[{"role": "user", "content": "say"}, {"role": "assistant", "content": "say"}]] * 4
    conversations = frame.drop("prompt", "response_a", "response_b").with_columns(
        conversation_a=pl.Series(talks), conversation_b=pl.Series(talks)
    )
    assert (
        with_style_counts(Battles(conversations), ["prompt_overlap"]).frame["prompt_overlap_b"].to_list()
        == [1.0] * 4
    )
    with pytest.raises(SchemaError, match="no column 'prompt'"):
        with_style_counts(Battles(frame.drop("prompt")), ["prompt_overlap"])


@pytest.mark.parametrize(
    ("style", "words"),
    [
        ("word", r"'word_a' is missing. Did you mean 'words'"),
        ("length", r"features of the texts are words, characters"),
    ],
)
def test_a_style_that_is_no_feature(style: str, words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        fit_ratings(Battles(votes()), style=[style])


def test_a_feature_without_texts_says_what_it_needs() -> None:
    bare = votes().select("policy_a", "policy_b", "winner")
    with pytest.raises(SchemaError, match="response_a and response_b, or conversation_a and conversation_b"):
        fit_ratings(Battles(bare), style=["words"])


def test_a_feature_that_never_differs_is_not_identifiable() -> None:
    with pytest.raises(NotIdentifiable, match="'emoji' is the same on both sides"):
        fit_ratings(Battles(votes()), style=["emoji"])


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (None, r"row 3: column 'conversation_b': no text \(1 such rows\)"),
        ([{"role": "user", "content": "only"}], "row 3.*no turn of the assistant"),
    ],
)
def test_battles_without_a_text_are_refused(cell: object, words: str) -> None:
    good = [{"role": "assistant", "content": "yes"}]
    talks = [good, good, good, cell]
    frame = votes(4).drop("response_a", "response_b")
    frame = frame.with_columns(conversation_a=pl.Series([good] * 4), conversation_b=pl.Series(talks))
    with pytest.raises(SchemaError, match=words):
        with_style_counts(Battles(frame), ["words"])


@pytest.mark.realdata
def test_real_votes_with_what_was_written(real_data: Path, tmp_path: Path) -> None:
    """People's votes of llmfao joined with the responses: one file for the command, the same fit as from counted columns."""
    said = pl.read_parquet(real_data / "llmfao" / "responses.parquet").select("prompt", "policy", "response")
    cast = pl.read_parquet(real_data / "llmfao" / "comparisons.parquet").filter(
        pl.col("judge") == "human-crowd"
    )
    for side in "ab":
        other = said.rename({"policy": f"model_{side}", "response": f"response_{side}"})
        cast = cast.join(other, on=["prompt", f"model_{side}"], how="inner")
    cast.write_parquet(tmp_path / "votes.parquet")
    style = ["words", "bold", "list_items"]
    battles = load_battles(tmp_path / "votes.parquet", style=style)
    found = fit_ratings(battles, style=style, prior=0.1)
    length = {
        s: pl.col(f"response_{s}").str.replace_all(r"[’']", "").str.count_matches(r"[\p{L}\p{M}\p{N}]+")
        for s in "ab"
    }
    by_hand = battles.frame.with_columns(words_a=length["a"], words_b=length["b"])
    again = fit_ratings(Battles(by_hand), style=style, prior=0.1)
    near = [
        found.provenance["style"]["words"][k] - again.provenance["style"]["words"][k]
        for k in ("coefficient", "std_err")
    ]
    assert np.abs(near).max() < 0.01  # another way to count words, nearly the same
    assert found.provenance["style"]["words"]["ci_low"] > 0  # people, too, like longer answers
