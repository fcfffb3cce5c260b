"""Scores in tables as people have them: every layout is the long table, or asks for one thing by its option."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charm_rm import Scores, load, load_scores, load_source, save
from charm_rm.conversations import prompt_hash
from charm_rm.errors import CharmError, ConfigError, ReadingNote, SchemaError

POLICIES = ["oak", "velvet-2.1", "1.10"]
PROMPTS = ["p-1", "p-2", "007"]
LONG = [
    {"prompt_id": prompt, "policy": policy, "score": round(0.5 * i - 0.25 * j, 3)}
    for i, prompt in enumerate(PROMPTS)
    for j, policy in enumerate(POLICIES)
]


def rows(scores: Scores) -> set[tuple[str, str, float]]:
    return set(scores.frame.select("prompt_id", "policy", "score").iter_rows())


EXPECTED = {(r["prompt_id"], r["policy"], r["score"]) for r in LONG}


def csv(names: dict[str, str], separator: str = ",", comma: bool = False, **more: str) -> str:
    """The long table with other names of columns, and more columns, each of one value."""
    head = separator.join([*(names.get(c, c) for c in LONG[0]), *more])
    cells = [[str(v) for v in [*r.values(), *more.values()]] for r in LONG]
    if comma:
        cells = [[*c[:2], c[2].replace(".", ","), *c[3:]] for c in cells]
    return "\n".join([head, *(separator.join(c) for c in cells), ""])


def wide_rows(key: str = "prompt_id") -> list[dict[str, Any]]:
    return [{key: p, **{r["policy"]: r["score"] for r in LONG if r["prompt_id"] == p}} for p in PROMPTS]


def wide(key: str = "prompt_id", **more: str) -> str:
    table = [{**r, **more} for r in wide_rows(key)]
    return "\n".join([",".join(table[0]), *(",".join(map(str, r.values())) for r in table), ""])


NESTED = [
    {"prompt_id": p, "models": POLICIES, "rewards": [r["score"] for r in LONG if r["prompt_id"] == p]}
    for p in PROMPTS
]
OBJECTS = [{"question_id": r.pop("prompt_id"), "scores": r} for r in wide_rows()]
LAYOUTS: dict[str, tuple[str, str]] = {
    "model": (".csv", csv({"policy": "model"})),
    "three names": (".csv", csv({"policy": "generator", "prompt_id": "instruction_id", "score": "reward"})),
    "capitals and spaces": (".csv", csv({"policy": "Model Name", "prompt_id": "Prompt ID", "score": " RM-Score"})),
    "camels": (".csv", csv({"policy": "modelName", "prompt_id": "promptId", "score": "rewardScore"})),
    "an id by its short name": (".csv", csv({"prompt_id": "uid", "score": "value"})),
    "pandas' index": (".csv", "," + csv({"policy": "model"}).replace("\n", "\n0,").removesuffix("0,")),
    "decimal commas": (".csv", csv({"score": "reward"}, ";", comma=True)),
    "one reward model": (".csv", csv({"policy": "model"}, reward_model="my-rm")),
    "wide": (".csv", wide()),
    "wide, an unnamed index": (".csv", wide("")),
    "wide, ids by another name": (".csv", wide("Question ID")),
    "wide, any text column that tells rows apart": (".csv", wide("item")),
    "wide, with counts": (".csv", wide(length="7", turn="1")),
    "wide by prompt": (
        ".csv",
        "\n".join(
            [
                ",".join(["model", *PROMPTS]),
                *(",".join([q, *(str(r["score"]) for r in LONG if r["policy"] == q)]) for q in POLICIES),
            ]
        ),
    ),
    "lists": (".jsonl", "\n".join(map(json.dumps, NESTED))),
    "objects": (".json", json.dumps(OBJECTS)),
    "lists of objects": (
        ".json",
        json.dumps(
            [
                {"id": p, "results": [{"model": r["policy"], "reward": r["score"]} for r in LONG if r["prompt_id"] == p]}
                for p in PROMPTS
            ]
        ),
    ),
    "objects that name models and rewards": (
        ".jsonl",
        "\n".join(
            json.dumps({"question": p, "question_id": p, "completions": [{"model": r["policy"], "reward": r["score"], "text": "So."}
                                                    for r in LONG if r["prompt_id"] == p]})
            for p in PROMPTS
        ),
    ),
    "lists of one": (".json", json.dumps([{**r, "score": [r["score"]]} for r in LONG])),
}  # fmt: skip


def read(tmp_path: Path, suffix: str, text: str, **how: Any) -> Scores:
    path = tmp_path / f"scores{suffix}"
    path.write_text(text)
    with pytest.warns(ReadingNote):
        return load_scores(path, **how)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_is_the_long_table(tmp_path: Path, name: str) -> None:
    assert rows(read(tmp_path, *LAYOUTS[name])) == EXPECTED


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_command_reads_what_python_reads(tmp_path: Path, name: str) -> None:
    suffix, text = LAYOUTS[name]
    (tmp_path / f"s{suffix}").write_text(text)
    with pytest.warns(ReadingNote):
        found = load_source(tmp_path / f"s{suffix}")
    assert isinstance(found, Scores)
    assert rows(found) == EXPECTED


def test_a_table_of_charms_own_is_read_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(csv({}))
    assert rows(load_scores(tmp_path / "s.csv")) == EXPECTED  # a note would be an error: none is caught
    whole = load(Scores, tmp_path / "s.csv")
    save(Scores(whole.frame, provenance={"verb": "apply_offsets"}), tmp_path / "s.parquet")
    assert load_scores(tmp_path / "s.parquet").provenance == {"verb": "apply_offsets"}


def test_what_was_read_as_what_is_told_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(csv({"policy": "model", "score": "reward"}))
    with pytest.warns(ReadingNote, match=r"s.csv: read 'model' as policy, 'reward' as score"):
        scores = load_scores(path)
    assert scores.provenance["read"] == ["read 'model' as policy, 'reward' as score"]


# --- what is asked for ----------------------------------------------------------------------------

ASKED: dict[str, tuple[str, type[CharmError], str]] = {
    "an unknown score": (csv({"score": "skywork"}), SchemaError, "--column score=skywork"),
    "two scores": (csv({"score": "reward"}, rm_score="1"), SchemaError, "--column score=reward or --column score=rm_score"),
    "no policy": (csv({"policy": "who"}), SchemaError, "--column policy=..."),
    "two policies": (csv({"policy": "model"}, generator="x"), SchemaError, "--column policy=model or --column policy=generator"),
    "no prompt": (csv({"prompt_id": "n"}), SchemaError, "--column prompt_id=..."),
    "a misspelt score": (csv({"score": "scroe"}), SchemaError, "--column score=scroe"),
    "several reward models": (csv({}) + "p-1,oak,1,x\n".replace(",x", ""), SchemaError, "not unique"),
    "ratings": ("policy,rating,std_err\na,1,1\nb,2,1\n", SchemaError, "--column score"),
}  # fmt: skip


@pytest.mark.parametrize("name", ASKED)
def test_what_is_missing_is_asked_for_by_its_option(tmp_path: Path, name: str) -> None:
    text, kind, option = ASKED[name]
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(kind, match=option) as caught:
        load_scores(tmp_path / "s.csv")
    assert "s.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"score": "skywork"}, csv({"score": "skywork"})),
        ({"policy": "who", "prompt_id": "n"}, csv({"policy": "who", "prompt_id": "n"})),
        ({"score": "reward"}, csv({"score": "reward"}, rm_score="1")),
        ({"score": "reward"}, csv({"score": "reward"}, score="9")),
    ],
)
def test_the_option_that_an_error_names_helps(tmp_path: Path, columns: dict[str, str], text: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the column that is not the score is left out, which is told
        assert rows(load_scores(path, columns=columns)) == EXPECTED


def test_a_wrong_option_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(csv({}))
    with pytest.raises(ConfigError, match=r"no column 'scroe'. Did you mean 'score'"):
        load_scores(path, columns={"score": "scroe"})
    with pytest.raises(ConfigError, match="scores have no field 'polcy'"):
        load_scores(path, columns={"polcy": "policy"})
    with pytest.raises(ConfigError, match=r"(?s)no column names one.*reward_model"):
        load_scores(path, reward_model="x")


def test_ids_of_a_named_column_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("n,who,score\n1.10,1,0.5\n1.1,1,1.5\n")
    with pytest.warns(ReadingNote):
        scores = load_scores(path, columns={"prompt_id": "n", "policy": "who"})
    assert rows(scores) == {("1.10", "1", 0.5), ("1.1", "1", 1.5)}


# --- prompts by their text ------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [{}, {"id": "row"}])
def test_prompts_given_as_text_get_the_ids_that_their_responses_get(
    tmp_path: Path, extra: dict[str, str]
) -> None:
    texts = [{**{k: f"{v}{i}" for k, v in extra.items()}, "prompt": f"Why {r['prompt_id']}?", "model": r["policy"],
              "score": r["score"]} for i, r in enumerate(LONG)]  # fmt: skip
    scores = read(tmp_path, ".json", json.dumps(texts))
    assert rows(scores) == {(prompt_hash(f"Why {p}?"), q, s) for p, q, s in EXPECTED}


# --- pairs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ("chosen_model", "rejected_model", "score_chosen", "score_rejected"),
        ("chosen_model", "rejected_model", "chosen_reward", "rejected_reward"),
        ("model_a", "model_b", "score_a", "score_b"),
    ],
)
def test_two_policies_and_two_scores_a_row(tmp_path: Path, names: tuple[str, ...]) -> None:
    score = {(r["prompt_id"], r["policy"]): r["score"] for r in LONG}
    pairs = [
        {"id": p, **dict(zip(names, (a, b, score[p, a], score[p, b]), strict=True)), "subset": "chat"}
        for p in PROMPTS
        for a, b in [(POLICIES[0], POLICIES[1]), (POLICIES[0], POLICIES[2])]
    ]
    assert rows(read(tmp_path, ".jsonl", "\n".join(map(json.dumps, pairs)))) == EXPECTED


def test_results_on_a_benchmark_as_columns_of_lists(tmp_path: Path) -> None:
    document = {
        "model": ["my-rm", "my-rm"],
        "id": [1, 2],
        "chosen_model": ["oak", "elm"],
        "rejected_model": ["elm", "oak"],
        "scores_chosen": [1.0, 2.0],
        "scores_rejected": [0.5, 0.25],
        "results": [1, 1],
    }
    scores = read(tmp_path, ".json", json.dumps(document))
    assert rows(scores) == {("1", "oak", 1.0), ("1", "elm", 0.5), ("2", "elm", 2.0), ("2", "oak", 0.25)}


# --- several reward models, several samples -------------------------------------------------------


def test_one_of_several_reward_models_is_chosen(tmp_path: Path) -> None:
    both = csv({"policy": "model"}, rm="one") + csv({}, rm="two").partition("\n")[2].replace(",0", ",9")
    path = tmp_path / "s.csv"
    path.write_text(both)
    with pytest.raises(ConfigError, match=r"(?s)2 reward models: 'one', 'two'.*--reward-model"):
        load_scores(path)
    with pytest.raises(ConfigError, match="Did you mean 'two'"):
        load_scores(path, reward_model="twoo")
    with pytest.warns(ReadingNote, match="scores of reward model 'one'"):
        assert rows(load_scores(path, reward_model="one")) == EXPECTED


SAMPLES = [
    {**r, "sample": k, "score": r["score"] + d} for k, d in ((2, 3.0), (0, 0.0), (1, -0.75)) for r in LONG
]
BY_SAMPLE: dict[str, Callable[[float], float]] = {
    "first": lambda s: s,  # the lowest number, whatever the order of the rows
    "mean": lambda s: s + 0.75,
    "max": lambda s: s + 3.0,
}


@pytest.mark.parametrize("sample", BY_SAMPLE)
@pytest.mark.parametrize("form", ["rows", "lists"])
def test_samples_are_reduced_as_asked(tmp_path: Path, sample: Any, form: str) -> None:
    table = (
        SAMPLES
        if form == "rows"
        else [{**r, "score": [r["score"] + d for d in (0.0, 3.0, -0.75)]} for r in LONG]
    )
    path = tmp_path / "s.json"
    path.write_text(json.dumps(table))
    with pytest.raises(ConfigError, match=r"(?s)up to 3.*--sample first.*--sample mean.*--sample max"):
        load_scores(path) if form == "rows" else quietly(path)
    with pytest.warns(ReadingNote, match=f"took the {sample} of up to 3 samples"):
        scores = load_scores(path, sample=sample)
    assert rows(scores) == {(p, q, BY_SAMPLE[sample](s)) for p, q, s in EXPECTED}


@pytest.mark.filterwarnings("ignore::charm_rm.errors.ReadingNote")
def quietly(path: Path) -> Scores:
    return load_scores(path)


def test_a_row_given_twice_is_no_sample(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(csv({}) + "p-1,oak,5\n")
    with pytest.raises(SchemaError, match="not unique"):
        load_scores(tmp_path / "s.csv")


def test_a_missing_score_among_samples_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(json.dumps([{**SAMPLES[0], "score": None}, *SAMPLES[1:]]))
    with pytest.raises(SchemaError, match="score is missing"):
        load_scores(tmp_path / "s.json", sample="mean")


def test_samples_side_by_side(tmp_path: Path) -> None:
    """Columns score_0, score_1 ... of one policy are samples; where they have other names, the score is asked for."""
    table = [
        {"prompt_id": r["prompt_id"], "model": r["policy"], "score_0": r["score"], "score_1": r["score"] + 2}
        for r in LONG
    ]
    path = tmp_path / "s.json"
    path.write_text(json.dumps(table))
    for sample, shift in (("first", 0), ("mean", 1), ("max", 2)):
        with pytest.warns(ReadingNote, match="'score_0', 'score_1' as samples"):
            found = load_scores(path, sample=sample)  # type: ignore[arg-type]
        assert rows(found) == {(p, q, s + shift) for p, q, s in EXPECTED}
    with pytest.warns(ReadingNote, match="read 'model' as policy, 'score_1' as score"):
        assert rows(load_scores(path, columns={"score": "score_1"})) == {
            (p, q, s + 2) for p, q, s in EXPECTED
        }


def test_lists_written_in_csv_are_samples(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    pl.DataFrame([{**r, "score": f"[{r['score']}, {r['score'] - 1}]"} for r in LONG]).write_csv(path)
    with pytest.warns(ReadingNote, match="took the max of up to 2 samples"):
        assert rows(load_scores(path, sample="max")) == EXPECTED
    path.write_text("prompt_id,policy,score\np,a,[1]\np,b,2\n")
    with pytest.raises(SchemaError, match=r"should hold a number, found '\[1\]'"):
        load_scores(path)


def test_an_error_names_the_column_that_may_be_meant(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(csv({"policy": "assistant"}))
    with pytest.raises(SchemaError, match="--column policy=assistant"):
        load_scores(path)


def test_columns_of_no_use_are_left_out_and_named(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(csv({}, text="Why?", subset="chat"))
    with pytest.warns(ReadingNote, match="left out columns 'text', 'subset'"):
        assert rows(load_scores(path)) == EXPECTED


def test_whole_numbers_that_became_floats_are_told(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("prompt_id,policy,score\n7.0,a,1\n8.0,a,2\n")
    with pytest.warns(ReadingNote, match=r"ends in .0"):
        assert set(load_scores(path).frame["prompt_id"]) == {"7.0", "8.0"}


def test_no_rows_have_no_ids_that_look_like_floats(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    pl.DataFrame(schema={"prompt_id": pl.String, "policy": pl.String, "score": pl.Float64}).write_parquet(
        path
    )
    with pytest.raises(CharmError, match="no rows"):
        load_scores(path)  # a note would be a warning, and an error here


# --- identities -----------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    policies=st.lists(
        st.from_regex(r"[A-Za-z]{2,5}-[0-9]{1,2}", fullmatch=True), min_size=2, max_size=5, unique=True
    ),
    prompts=st.lists(st.from_regex(r"[0-9]{1,5}", fullmatch=True), min_size=1, max_size=4, unique=True),
    data=st.data(),
)
def test_long_to_wide_and_back(
    tmp_path: Path, policies: list[str], prompts: list[str], data: st.DataObject
) -> None:
    cell = st.none() | st.floats(-5, 5, allow_subnormal=False).map(lambda x: round(x, 6))
    table = {(p, q): data.draw(cell) for p in prompts for q in policies}
    for q in policies:  # a column of nothing is nobody's
        table[prompts[0], q] = data.draw(st.sampled_from([-1.5, 0.0, 2.25]))
    frame = pl.DataFrame(
        {
            "prompt_id": prompts,
            **{q: pl.Series([table[p, q] for p in prompts], dtype=pl.Float64) for q in policies},
        }
    )
    expected = {(p, q, s) for (p, q), s in table.items() if s is not None}
    for name in ("w.csv", "w.parquet"):
        path = tmp_path / name
        frame.write_csv(path) if name == "w.csv" else frame.write_parquet(path)
        with pytest.warns(ReadingNote):
            assert rows(load_scores(path)) == expected


def test_lists_of_numbers_alone_are_read_from_csv(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text('prompt_id,policy,score\np,a,"[ 1 , -2.5e0 ]"\np,b,"[0.25,1]"\n')
    with pytest.warns(ReadingNote, match="lists of scores as samples"):
        assert load_scores(path, sample="mean").frame["score"].to_list() == [-0.75, 0.625]


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ('[{""role"": ""user""}]', r"found '\[\{"),
        ("[true]", r"found '\[true\]'"),
        ("[1e999]", "not finite"),
        ("[]", "missing"),
    ],
)
@pytest.mark.filterwarnings("ignore::charm_rm.errors.ReadingNote")
def test_lists_of_anything_else_are_refused(tmp_path: Path, cell: str, found: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text(f'prompt_id,policy,score\np,a,"{cell}"\np,b,"[0.25, 1]"\n')
    with pytest.raises(SchemaError, match=found):
        load_scores(path, sample="mean")
