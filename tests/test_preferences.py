"""Preference pairs from every layout met in the wild become the same noun."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from charm_rm import store
from charm_rm.errors import CharmWarning, SchemaError, UnreadableFile
from charm_rm.preferences import as_preferences, load_preferences, prompt_key

USER = {"role": "user", "content": "2+2?"}
GOOD = {"role": "assistant", "content": "4"}
BAD = {"role": "assistant", "content": "5"}


def one(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame({name: [value] for name, value in columns.items()})


@pytest.mark.parametrize(
    "frame",
    [
        one(prompt="2+2?", chosen="4", rejected="5"),
        one(prompt="2+2?", chosen=["4"], rejected=["5"]),
        one(prompt=[USER], chosen=[GOOD], rejected=[BAD]),
        one(chosen=[USER, GOOD], rejected=[USER, BAD]),
        one(prompt="2+2?", chosen=[USER, GOOD], rejected=[USER, BAD]),
        one(chosen="\n\nHuman: 2+2?\n\nAssistant: 4", rejected="\n\nHuman: 2+2?\n\nAssistant: 5"),
    ],
    ids=["text", "one-element lists", "ours", "prompt inside", "prompt inside and apart", "transcript"],
)
def test_every_layout_gives_the_same_pair(frame: pl.DataFrame) -> None:
    row = as_preferences(frame).frame.row(0, named=True)
    assert (row["prompt"], row["chosen"], row["rejected"]) == ([USER], [GOOD], [BAD])


def test_turns_between_prompt_and_response_belong_to_the_prompt() -> None:
    more = [GOOD, {"role": "user", "content": "sure?"}]
    row = as_preferences(one(prompt=[USER], chosen=[*more, GOOD], rejected=[*more, BAD])).frame.row(
        0, named=True
    )
    assert row["prompt"] == [USER, *more]
    assert row["chosen"] == [GOOD]


def test_a_system_message_before_the_prompt_column_is_kept() -> None:
    system = {"role": "system", "content": "Be brief."}
    frame = one(prompt="2+2?", chosen=[system, USER, GOOD], rejected=[system, USER, BAD])
    assert as_preferences(frame).frame["prompt"].to_list() == [[system, USER]]


def test_a_transcript_keeps_its_turns_and_roles() -> None:
    head = "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: 2+2?\n\nAssistant:"
    prompt = as_preferences(one(chosen=f"{head} 4", rejected=f"{head} 5")).frame["prompt"].to_list()[0]
    assert [m["role"] for m in prompt] == ["user", "assistant", "user"]
    assert [m["content"] for m in prompt] == ["hi", "hello", "2+2?"]


def test_equal_and_diverging_pairs_are_dropped_and_counted() -> None:
    frame = pl.DataFrame(
        {
            "chosen": [[USER, GOOD], [USER, GOOD], [USER, GOOD, USER, GOOD]],
            "rejected": [[USER, BAD], [USER, GOOD], [USER, BAD, USER, BAD]],
            "tag": ["a", "b", "c"],
        }
    )
    kept = as_preferences(frame)
    assert kept.frame["tag"].to_list() == ["a"]
    assert kept.provenance["dropped"] == {"equal responses": 1, "differ before the last turn": 1}


def test_policy_names_are_kept_under_our_names() -> None:
    frame = one(prompt="p", chosen="a", rejected="b", chosen_model="x", rejected_model="y")
    row = as_preferences(frame).frame.row(0, named=True)
    assert (row["chosen_policy"], row["rejected_policy"]) == ("x", "y")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (one(prompt="p", chosen="a"), "'rejected' is missing"),
        (one(prompt="p", chosen="a", reject="b"), "Did you mean 'reject'"),
        (one(chosen="a", rejected="b"), "no prompt"),
        (pl.DataFrame(), "the table is empty"),
        (one(prompt="p", chosen=1.5, rejected=2.5), "found '1.5'"),
        (one(prompt="p", chosen="a", rejected="a"), "no usable pair"),
        (one(prompt=[USER], chosen=[USER], rejected=[GOOD]), "not the assistant's"),
    ],
)
def test_what_is_no_pair_is_refused(frame: pl.DataFrame, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        as_preferences(frame)


def test_an_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"prompt": "p", "chosen": "a"}) + "\n", encoding="utf-8")
    with pytest.raises(SchemaError, match=r"pairs\.jsonl"):
        load_preferences(path)
    with pytest.raises(UnreadableFile, match="no such file"):
        load_preferences(tmp_path / "absent.parquet")


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_our_own_file_reads_back_unchanged(tmp_path: Path, suffix: str) -> None:
    first = as_preferences(one(prompt="p", chosen="a", rejected="b", margin=0.5, p_chosen=0.6, flipped=True))
    again = load_preferences(store.save(first, tmp_path / f"preferences.{suffix}"))
    assert again.frame.equals(first.frame)


def test_prompts_differ_in_key_where_roles_or_turns_differ() -> None:
    keys = {
        prompt_key([USER]),
        prompt_key([GOOD | {"content": USER["content"]}]),
        prompt_key([USER, GOOD]),
        prompt_key([{"role": "user", "content": USER["content"] + GOOD["content"]}]),
    }
    assert len(keys) == 4
    assert prompt_key("2+2?") == prompt_key([USER])


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        pytest.param("rmb_pairwise", 14532, marks=pytest.mark.slow),
        ("ultrafeedback_sample_1000", 996),
        ("hh_harmless_base_test", 2307),
    ],
)
def test_real_files_are_read(real_data: Path, name: str, pairs: int) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", CharmWarning)
        preferences = load_preferences(real_data / "preferences" / f"{name}.parquet")
    assert len(preferences) == pairs
    # In four transcripts the assistant speaks twice in a row.
    expected = (
        ["preferences, 2307 pairs: 4 times turns of one speaker in a row joined"] if "hh" in name else []
    )
    assert [str(w.message) for w in said] == expected
    roles = preferences.frame.select(pl.col("chosen").list.first().struct.field("role").unique())
    assert roles.to_series().to_list() == ["assistant"]
