"""Reading responses, ids that join policies, sampling and splitting by prompt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import (
    CharmWarning,
    ConfigError,
    NoOverlap,
    ReadingNote,
    SchemaError,
    UnknownPolicy,
    UnreadableFile,
)
from charm_rm.responses import (
    count_empty,
    load_responses,
    prompt_ids,
    responses_from_frame,
    sample_instructions,
    split_prompts,
)
from charm_rm.store import save
from charm_rm.tables import Responses

ROWS = [
    {"prompt_id": f"q{q}", "prompt": f"Question {q}?", "policy": p, "response": f"{p} on {q}"}
    for q in range(10)
    for p in ("one", "two", "three")
]


@pytest.fixture
def responses() -> Responses:
    return Responses(pl.DataFrame(ROWS))


def alpaca(folder: Path, policy: str, instructions: list[str], **more: Any) -> Path:
    path = folder / policy / "model_outputs.json"
    path.parent.mkdir(parents=True)
    rows = [{"instruction": i, "output": f"{policy}: {k}", **more} for k, i in enumerate(instructions)]
    path.write_text(json.dumps(rows))
    return path


class TestReading:
    @pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv", ".json"])
    def test_every_table_format_reads_alike(self, responses: Responses, tmp_path: Path, suffix: str) -> None:
        path = save(responses, tmp_path / f"r{suffix}")
        assert load_responses(path).frame.equals(responses.frame)

    @pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
    def test_conversations_survive(self, tmp_path: Path, suffix: str) -> None:
        prompt = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
        frame = pl.DataFrame([{"prompt": prompt, "policy": "one", "response": "So."}])
        path = save(responses_from_frame(frame, source="here"), tmp_path / f"r{suffix}")
        assert load_responses(path).frame["prompt"].to_list() == [prompt]

    def test_alpaca_eval_file(self, tmp_path: Path) -> None:
        frame = load_responses(alpaca(tmp_path, "x", ["A?", "B?"], generator="gpt", dataset="d")).frame
        assert frame["policy"].to_list() == ["gpt", "gpt"]
        assert frame["prompt"].to_list() == ["A?", "B?"]
        assert frame["dataset"].to_list() == ["d", "d"]

    def test_alpaca_eval_folder_joins_policies_on_the_instruction(self, tmp_path: Path) -> None:
        alpaca(tmp_path, "one", ["A?", "B?", "A?"], generator="one")
        alpaca(tmp_path, "two", ["B? ", "A?", "A?"])  # another order, no generator, a trailing blank
        frame = load_responses(tmp_path).frame
        joined = frame.filter(policy="one").join(
            frame.filter(policy="two"), on="prompt_id", maintain_order="left"
        )
        assert joined["response"].to_list() == ["one: 0", "one: 1", "one: 2"]
        assert joined["response_right"].to_list() == ["two: 1", "two: 0", "two: 2"]

    def test_a_made_id_does_not_depend_on_the_other_rows(self) -> None:
        frame = pl.DataFrame(ROWS).drop("prompt_id").with_row_index()
        frame = frame.with_columns(prompt_ids(frame))
        alone = frame.filter(policy="two").drop("prompt_id")
        assert prompt_ids(alone).to_list() == frame.filter(policy="two")["prompt_id"].to_list()

    @pytest.mark.realdata
    def test_real_alpaca_eval_files_join_to_805_prompts(self, real_data: Path) -> None:
        frame = load_responses(real_data / "alpaca_eval" / "results").frame
        assert frame["policy"].n_unique() == 3
        assert frame["prompt_id"].n_unique() == 805
        table = load_responses(real_data / "alpaca_eval" / "responses.parquet").frame
        both = frame.join(table, left_on=["policy", "prompt"], right_on=["policy", "prompt"], suffix="_table")
        assert both.height == 2415
        assert both["response"].equals(both["response_table"])


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            ({"prompt": None}, "prompt should be text"),
            ({"response": None}, "response is missing"),
            ({"prompt_id": "q1"}, "'q1' stands for two different prompts"),
            ({"policy": "two"}, "not unique"),
        ],
    )
    def test_bad_rows_are_named(self, change: dict[str, Any], complaint: str) -> None:
        frame = pl.DataFrame([{**ROWS[0], **change}, *ROWS[1:]], schema=dict.fromkeys(ROWS[0], pl.String))
        with pytest.raises(SchemaError, match=complaint) as caught:
            responses_from_frame(frame, source="bad.csv")
        assert "bad.csv" in str(caught.value)

    @pytest.mark.parametrize(
        "prompt", [[], [{"role": "user"}], [{"role": "user", "content": None}], [{"text": "hi"}]]
    )
    def test_messages_need_role_and_content(self, prompt: Any, tmp_path: Path) -> None:
        path = tmp_path / "r.jsonl"
        rows = [{"prompt": prompt, "policy": "one", "response": "So."}]
        path.write_text("\n".join(json.dumps(r) for r in rows))
        with pytest.raises(SchemaError, match="list of {role, content} messages"):
            load_responses(path)

    def test_a_missing_column_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "r.csv"
        path.write_text("prompt,policy,respons\nhi,one,ho\n")
        with pytest.raises(SchemaError, match="'response' is missing.*Did you mean 'respons'"):
            load_responses(path)

    def test_files_that_cannot_be_read(self, tmp_path: Path) -> None:
        (tmp_path / "cut.parquet").write_bytes(b"PAR1 and no more")
        (tmp_path / "latin.csv").write_bytes("prompt,policy,response\nfrançais,a,b\n".encode("latin-1"))
        (tmp_path / "empty.jsonl").write_text("")
        for name in ("cut.parquet", "latin.csv", "empty.jsonl", "absent.csv"):
            with pytest.raises(UnreadableFile, match=name):
                load_responses(tmp_path / name)

    def test_a_folder_without_outputs(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableFile, match=r"(?s)holds no table.*POLICY/model_outputs\.json"):
            load_responses(tmp_path)


class TestSampling:
    def test_picks_whole_prompts(self, responses: Responses) -> None:
        sample = sample_instructions(responses, n=4, seed=1)
        assert sample.frame["prompt_id"].n_unique() == 4
        assert len(sample) == 12

    @given(st.randoms(use_true_random=False), st.integers(1, 10), st.integers(0, 5))
    def test_row_order_does_not_matter_and_smaller_samples_are_nested(
        self, random: Any, n: int, seed: int
    ) -> None:
        shuffled = random.sample(ROWS, len(ROWS))
        whole = sample_instructions(Responses(pl.DataFrame(ROWS)), n=n, seed=seed)
        again = sample_instructions(Responses(pl.DataFrame(shuffled)), n=n, seed=seed)
        assert set(whole.frame["prompt_id"]) == set(again.frame["prompt_id"])
        fewer = sample_instructions(Responses(pl.DataFrame(ROWS)), n=max(1, n - 1), seed=seed)
        assert set(fewer.frame["prompt_id"]) <= set(whole.frame["prompt_id"])

    def test_seeds_differ(self, responses: Responses) -> None:
        picks = {
            tuple(sample_instructions(responses, n=3, seed=s).frame["prompt_id"].unique().sort())
            for s in range(8)
        }
        assert len(picks) > 1

    def test_incomplete_prompts_are_left_out_and_counted(self, responses: Responses) -> None:
        holed = Responses(
            responses.frame.filter(~((pl.col("prompt_id") == "q3") & (pl.col("policy") == "two")))
        )
        with pytest.warns(CharmWarning, match="1 of 10 prompts left out"):
            sample = sample_instructions(holed, n=None)
        assert sample.frame["prompt_id"].n_unique() == 9
        assert sample.provenance["prompts_left_out"] == 1
        assert len(sample_instructions(holed, n=None, complete=False)) == 29
        assert len(sample_instructions(holed, n=10, policies=["one", "three"])) == 20

    def test_too_many_or_unknown(self, responses: Responses) -> None:
        with pytest.raises(NoOverlap, match="11 prompts asked for, 10 to pick from"):
            sample_instructions(responses, n=11)
        with pytest.raises(UnknownPolicy, match="Did you mean 'three'"):
            sample_instructions(responses, n=1, policies=["thre"])


class TestSplitting:
    def test_no_prompt_text_is_on_both_sides(self) -> None:
        twin = [{**r, "prompt_id": r["prompt_id"] + "-2"} for r in ROWS]
        train, test = split_prompts(Responses(pl.DataFrame(ROWS + twin)), test_fraction=0.3)
        assert not set(train.frame["prompt"]) & set(test.frame["prompt"])
        assert len(train) + len(test) == len(ROWS) * 2
        assert test.frame["prompt"].n_unique() == 3

    def test_depends_on_the_seed_alone(self, responses: Responses) -> None:
        backwards = Responses(responses.frame.reverse().filter(pl.col("policy") != "one"))
        sides = [
            set(split_prompts(r, test_fraction=0.4, seed=s)[1].frame["prompt_id"])
            for r in (responses, backwards)
            for s in (0, 1)
        ]
        assert sides[0] == sides[2]
        assert sides[1] == sides[3]
        assert sides[0] != sides[1]

    @pytest.mark.parametrize("fraction", [0.0, 0.01, 1.0, -1.0])
    def test_an_empty_side_is_refused(self, responses: Responses, fraction: float) -> None:
        with pytest.raises(ConfigError, match="leaves one side empty"):
            split_prompts(responses, test_fraction=fraction)


def test_empty_responses_are_allowed_and_counted() -> None:
    rows = [{**ROWS[0], "response": " \n"}, *ROWS[1:]]
    counts = count_empty(Responses(pl.DataFrame(rows)))
    assert counts.rows() == [("one", 10, 1), ("three", 10, 0), ("two", 10, 0)]


class TestOtherColumns:
    """Responses under the names, and in the layouts, of other tools."""

    ROWS: ClassVar = [("Why?", "a", "So."), ("Why?", "b", "No."), ("How?", "a", "Thus."), ("How?", "b", "")]

    @pytest.mark.parametrize(
        ("names", "told"),
        [
            (
                ("instruction", "model", "output"),
                "read 'model' as policy, 'instruction' as prompt, 'output' as response",
            ),
            (
                ("Question", "Model Name", "Answer"),
                "'Model Name' as policy, 'Question' as prompt, 'Answer' as response",
            ),
            (("prompt", "llm", "completion"), "read 'llm' as policy, 'completion' as response"),
        ],
    )
    def test_names(self, tmp_path: Path, names: tuple[str, ...], told: str) -> None:
        for suffix in (".csv", ".parquet", ".jsonl"):
            path = tmp_path / f"r{suffix}"
            frame = pl.DataFrame(self.ROWS[:3], schema=list(names), orient="row")
            {".csv": frame.write_csv, ".parquet": frame.write_parquet, ".jsonl": frame.write_ndjson}[suffix](
                path
            )
            with pytest.warns(ReadingNote, match=told):
                found = load_responses(path).frame
            assert found.select("prompt", "policy", "response").rows() == self.ROWS[:3]

    def test_objects_in_the_row_of_their_prompt(self, tmp_path: Path) -> None:
        rows = [
            {
                "instruction": p,
                "source": "x",
                "completions": [{"model": m, "response": r} for q, m, r in self.ROWS if q == p],
            }
            for p in ("Why?", "How?")
        ]
        (tmp_path / "r.jsonl").write_text("\n".join(map(json.dumps, rows)))
        with pytest.warns(ReadingNote, match="took the objects in 'completions' as rows"):
            found = load_responses(tmp_path / "r.jsonl").frame
        assert set(found.select("prompt", "policy", "response").iter_rows()) == set(self.ROWS)

    def test_messages_and_texts_in_a_column_of_another_name(self, tmp_path: Path) -> None:
        turns = [{"role": "user", "content": "Why?"}]
        rows = [
            {"messages": turns, "model": "a", "output": "So."},
            {"messages": "Why?", "model": "b", "output": "No."},
        ]
        (tmp_path / "r.jsonl").write_text("\n".join(map(json.dumps, rows)))
        with pytest.warns(ReadingNote):
            found = load_responses(tmp_path / "r.jsonl").frame
        assert found["prompt"].to_list() == [turns, turns]
        assert found["prompt_id"].n_unique() == 1

    def test_ids_that_may_number_rows_give_way_to_the_prompts_texts(self, tmp_path: Path) -> None:
        path = tmp_path / "r.csv"
        path.write_text("id,prompt,policy,response\n0,Why?,a,So.\n1,Why?,b,No.\n")
        assert load_responses(path).frame["prompt_id"].n_unique() == 1
        with pytest.warns(ReadingNote, match="'id' as prompt_id"):
            assert load_responses(path, columns={"prompt_id": "id"}).frame["prompt_id"].to_list() == [
                "0",
                "1",
            ]

    def test_what_is_missing_is_asked_for_by_its_option(self, tmp_path: Path) -> None:
        path = tmp_path / "r.csv"
        path.write_text("task,who,said\nWhy?,a,So.\n")
        with pytest.raises(SchemaError, match=r"--column responses.policy=\.\.\. --column responses.prompt"):
            load_responses(path)
        with pytest.warns(ReadingNote):
            found = load_responses(path, columns={"prompt": "task", "policy": "who", "response": "said"})
        assert len(found) == 1
