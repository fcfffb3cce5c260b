"""Each entry of the registry, read from a tiny model that looks as its authors' checkpoint does."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charm_rm.errors import CharmError, ConfigError, ModelError
from charm_rm.models import load_reward_model
from charm_rm.models.loading.registry import entry_named, find_entry, list_entries, read_entries
from charm_rm.models.scoring.encoding import Encoded
from models.tiny_entries import GATE, IDS, build, config

NAMES = [e.name for e in list_entries()]
REMOTE = [e.name for e in list_entries() if e.kind == "remote-code"]
TURNS = (
    "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }} {{ eos_token }}{% endfor %}"
)


class TestTheFile:
    def test_every_entry_names_its_sources_and_has_a_tiny_model_here(self) -> None:
        assert list(IDS) == NAMES
        assert all((e.source and e.notes) or e.kind == "sequence-classifier" for e in list_entries())

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[x]\nids = ['a/b']\nsource = ['https://x.y']\nkind = 'linear'", r"\[x\] kind"),
            ("[x]\nids = ['a/b']\nsource = ['https://x.y']\nkind = 'linear-head'", "lacks a field"),
            (
                "[x]\nids = ['a/b']\nsource = ['https://x.y']\nkind = 'sequence-classifier'\ntemplat = ''",
                r"Did you mean 'template'",
            ),
            ("[x]\nids = []\nsource = ['https://x.y']\nkind = 'sequence-classifier'", r"\[x\] ids"),
            ("[x]\nids = ['a/b']\nsource = ['a card']\nkind = 'sequence-classifier'", r"\[x\] source.0"),
            (
                "[x]\nids = ['a']\nsource = ['https://x.y']\nkind = 'sequence-classifier'\nreward = 'output:z'",
                "no number of an output",
            ),
            ("x = 1", "not a table"),
            ("[x", "not TOML"),
        ],
    )
    def test_a_slip_is_named(self, text: str, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            read_entries(text, where="a.toml")

    def test_an_unknown_name(self) -> None:
        with pytest.raises(ConfigError, match="Did you mean 'ultrarm'"):
            entry_named("ultra-rm")


class TestFinding:
    @pytest.mark.parametrize("name", NAMES)
    def test_by_hub_id_folder_and_cache(self, name: str) -> None:
        owner, model = IDS[name].split("/")
        places = [
            IDS[name], IDS[name].upper(), f"/models/{IDS[name]}", f"./{model}", model,
            f"/home/u/.cache/huggingface/hub/models--{owner}--{model}/snapshots/0123abc",
        ]  # fmt: skip
        for place in places:
            found = find_entry(place)
            assert found is not None, place
            assert found.name == name

    def test_by_architecture_where_that_is_the_familys_alone(self) -> None:
        def found(**said: Any) -> str | None:
            entry = find_entry("/models/mine", said)
            return entry and entry.name

        assert found(architectures=["EurusRewardModel"]) == "eurus"
        assert found(architectures=["LlamaForScore"], score_type="cost") == "beaver-cost"
        assert found(architectures=["LlamaForScore"], score_type="reward") == "beaver-reward"
        assert found(architectures=["LlamaForScore"]) is None
        assert found(architectures=["LlamaForSequenceClassification"]) is None

    def test_by_origin_if_the_architecture_agrees(self) -> None:
        origin = {"_name_or_path": "sfairXC/FsfairX-LLaMA3-RM-v0.1"}
        same = find_entry("/models/mine", origin | {"architectures": ["LlamaForSequenceClassification"]})
        assert same is not None
        assert same.name == "fsfairx"
        assert find_entry("/models/mine", origin | {"architectures": ["URMForSomething"]}) is None

    def test_a_configuration_object_will_do(self) -> None:
        transformers = pytest.importorskip("transformers", reason="needs the [hf] extra")
        made = transformers.LlamaConfig(architectures=["GPTNeoXRewardModel"])
        entry = find_entry("/models/mine", made)
        assert entry is not None
        assert entry.name == "oasst-pythia"

    def test_strangers_are_none(self) -> None:
        assert find_entry("some/model") is None
        assert find_entry("/models/UltraRM-13b-mine") is None
        assert find_entry("Skywork/Skywork-Reward-Llama-3.1-8B-mine") is None


def token_rows(n: int, *, avoid: int) -> list[list[int]]:
    """Rows of random tokens, short and long."""
    rng = np.random.default_rng(0)
    rows = [rng.integers(10, 150, 2 + 3 * k % 17).tolist() for k in range(n)]
    return [[i for i in row if i != avoid] for row in rows]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Code that comes with models is copied here, not into the user's cache."""
    import transformers.dynamic_module_utils as dynamic

    monkeypatch.setattr(dynamic, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(tmp_path / "modules")
    return tmp_path


@pytest.mark.models
class TestReading:
    @pytest.fixture(autouse=True)
    def _needs_torch(self) -> None:
        pytest.importorskip("torch", reason="needs the [hf] extra")

    @pytest.mark.parametrize("name", [n for n in NAMES if n not in ("pairrm", "oasst-deberta")])
    def test_scores_are_those_of_a_forward_pass_by_hand(
        self,
        name: str,
        make_tokenizer: Callable[..., Any],
        cache: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        tokenizer = make_tokenizer(TURNS)
        folder, twin = build(name, cache, tokenizer)
        if name == "starling-7b":
            monkeypatch.setattr("huggingface_hub.snapshot_download", _hub(cache, tokenizer))
        model = load_reward_model(folder, trust_remote_code=name in REMOTE)
        rows = token_rows(12, avoid=model.pad_token_id)
        if name == "internlm2":
            rows = [[*ids, tokenizer.convert_tokens_to_ids("p199")] for ids in rows]
        if entry_named(name).kind == "gated":  # in one row the mark is there twice: the last one counts
            rows = [[*ids[:2], *GATE, *ids[2:], *(GATE if len(ids) > 15 else []), 7] for ids in rows]
        encoded = [Encoded(ids) for ids in rows]
        expected = np.array([twin(ids) for ids in rows])
        assert np.std(expected) > 0.01
        for side in ("left", "right"):
            scores = replace(model, padding_side=side).score_batch(encoded)
            np.testing.assert_allclose(scores, expected, atol=1e-4, rtol=0)

    def test_deberta_reads_a_sentence_pair(self, minilm_dir: Path, tmp_path: Path) -> None:
        import torch
        import transformers

        tokenizer = transformers.AutoTokenizer.from_pretrained(minilm_dir)
        folder = tmp_path / IDS["oasst-deberta"]
        torch.manual_seed(0)
        made = transformers.DebertaV2Config(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=4, type_vocab_size=0, num_labels=1, initializer_range=0.3,
        )  # fmt: skip
        net = transformers.DebertaV2ForSequenceClassification(made).eval()
        net.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        model = load_reward_model(folder)
        assert model.encoder.layout == "pair"
        expected = []
        for question, answer in [("why", "so"), ("how many", "a great many of them, I should think")]:
            hidden = net.deberta(**tokenizer(question, answer, return_tensors="pt")).last_hidden_state
            pooled = torch.nn.functional.gelu(net.pooler.dense(hidden[:, 0]))
            expected.append(float(net.classifier(pooled).detach()))
        scores = model(["why", "how many"], ["so", "a great many of them, I should think"])
        np.testing.assert_allclose(scores, expected, atol=1e-4, rtol=0)

    @pytest.mark.parametrize("name", REMOTE)
    def test_code_that_comes_with_a_model_is_not_run_unasked(
        self, name: str, make_tokenizer: Callable[..., Any], cache: Path
    ) -> None:
        folder, _ = build(name, cache, make_tokenizer(TURNS))
        (folder / "modeling_tiny.py").write_text("raise SystemExit('this was run')")
        with pytest.raises(ModelError, match=r"--trust-remote-code"):
            load_reward_model(folder)

    def test_a_pair_ranker_gives_no_scores(self, make_rm: Callable[..., Path], tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="load_pair_ranker"):
            load_reward_model(make_rm(tmp_path / IDS["pairrm"]))

    @pytest.mark.parametrize("name", [n for n in NAMES if entry_named(n).kind == "linear-head"])
    def test_a_missing_weight_is_an_error(
        self,
        name: str,
        make_tokenizer: Callable[..., Any],
        cache: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        import torch
        from safetensors.torch import load_file, save_file

        tokenizer = make_tokenizer(TURNS)
        folder, _ = build(name, cache, tokenizer)
        monkeypatch.setattr("huggingface_hub.snapshot_download", _hub(cache, tokenizer))
        file = next(f for f in folder.iterdir() if f.suffix in (".pt", ".safetensors"))
        state = torch.load(file) if file.suffix == ".pt" else load_file(file)
        write = torch.save if file.suffix == ".pt" else save_file
        body = next(k for k in state if "layers.1." in k and k.endswith("weight"))
        for lost in (body[body.index("layers") :], f"{entry_named(name).head[-1]}.weight"):
            write({k: v for k, v in state.items() if not k.endswith(lost)}, file)
            with pytest.raises(ModelError, match="lacks"):
                load_reward_model(folder)


def _hub(home: Path, tokenizer: Any) -> Callable[..., str]:
    """A hub that has Llama 2's configuration and tokenizer, in small."""

    def download(name: str, **_options: Any) -> str:
        assert name == "meta-llama/Llama-2-7b-chat-hf"
        config("Llama", tokenizer).save_pretrained(home / "base")
        tokenizer.save_pretrained(home / "base")
        return os.fspath(home / "base")

    return download


CHAT = [
    {"role": "user", "content": "Q1"},
    {"role": "assistant", "content": "A1"},
    {"role": "user", "content": "Q2"},
    {"role": "assistant", "content": "A2"},
]


@pytest.mark.models
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ultrarm", "<s>Human: Q1\nAssistant: A1\nHuman: Q2\nAssistant: A2"),
        ("eurus", "<s>[INST] Q1 [/INST] A1</s>[INST] Q2 [/INST] A2"),
        ("starling-7b", "<s>[INST] Q1 </s> [/INST] A1</s><s>[INST] Q2 </s> [/INST] A2</s>"),
        (
            "beaver-reward",
            "<s>BEGINNING OF CONVERSATION: USER: Q1 ASSISTANT:A1</s>USER: Q2 ASSISTANT:A2</s>",
        ),
        (
            "oasst-pythia",
            "<|prompter|>Q1<|endoftext|><|assistant|>A1<|endoftext|><|prompter|>Q2<|endoftext|>"
            "<|assistant|>A2<|endoftext|>",
        ),
    ],
)
def test_templates_write_what_the_authors_wrote(
    name: str, text: str, make_tokenizer: Callable[..., Any]
) -> None:
    tokenizer = make_tokenizer(entry_named(name).template)
    assert tokenizer.apply_chat_template(CHAT, tokenize=False) == text
    with pytest.raises(Exception, match="only user and assistant"):
        tokenizer.apply_chat_template([{"role": "system", "content": "S"}, *CHAT], tokenize=False)


@pytest.mark.models
class TestWhatFollows:
    def test_a_cost_is_turned_round_and_says_so(
        self, make_tokenizer: Callable[..., Any], cache: Path
    ) -> None:
        from charm_rm.models.loading.opening import open_model

        folder, _ = build("beaver-cost", cache, make_tokenizer(TURNS))
        opened = open_model(folder)
        assert opened.entry is not None
        assert opened.entry.name == "beaver-cost"
        assert "lower is better" in opened.output
        assert opened.tokenizer.chat_template == entry_named("beaver-cost").template

    def test_a_gate_needs_its_mark_and_gives_way_to_a_choice(
        self, make_tokenizer: Callable[..., Any], cache: Path
    ) -> None:
        import torch

        folder, _ = build("armorm", cache, make_tokenizer(TURNS))
        model = load_reward_model(folder)
        with pytest.raises(ModelError, match="gate reads the prompt"):
            model.score_batch([Encoded([5, 6, 7, 8, 9, 10])])
        row = [5, 6, *GATE, 9]
        one = load_reward_model(folder, reward="output:3")
        values = model.model.objectives(model.model.body(torch.tensor([row])).last_hidden_state[:, -1])
        assert one.score_batch([Encoded(row)])[0] == pytest.approx(float(values[0, 3].detach()), abs=1e-5)

    @pytest.mark.parametrize(
        "lost", ["gating.layers.1.weight", "reward_transform_matrix", "gating.logit_scale"]
    )
    def test_a_gate_with_a_hole_is_an_error(
        self, lost: str, make_tokenizer: Callable[..., Any], cache: Path
    ) -> None:
        from safetensors.torch import load_file, save_file

        folder, _ = build("armorm", cache, make_tokenizer(TURNS))
        state = load_file(folder / "model.safetensors")
        save_file({k: v for k, v in state.items() if not k.startswith(lost)}, folder / "model.safetensors")
        with pytest.raises(
            ModelError, match=f"lacks '{lost}" if lost != "gating.layers.1" else "2 of 3 layers"
        ):
            load_reward_model(folder)

    def test_the_closing_token_is_there_once(self, make_tokenizer: Callable[..., Any], cache: Path) -> None:
        for template in (TURNS, TURNS + "p199"):
            tokenizer = make_tokenizer(template)
            folder, twin = build("internlm2", cache / str(len(template)), tokenizer)
            model = load_reward_model(folder, trust_remote_code=True)
            ids = model.encoder.encode("p1", "r1").input_ids
            assert ids.count(tokenizer.convert_tokens_to_ids("p199")) == 1
            assert model(["p1"], ["r1"])[0] == pytest.approx(twin(ids), abs=1e-4)

    def test_the_entry_is_part_of_the_fingerprint(
        self, make_tokenizer: Callable[..., Any], cache: Path, tmp_path: Path
    ) -> None:
        from charm_rm.models.loading.opening import open_model

        folder, _ = build("ultrarm", cache, make_tokenizer(TURNS))
        known = open_model(folder)
        renamed = folder.rename(tmp_path / "mine")
        assert open_model(renamed).entry is None
        assert open_model(renamed, reward="like:ultrarm").entry == known.entry
        assert open_model(renamed).fingerprint != known.fingerprint

    def test_pythia_pools_as_its_configuration_says(
        self, make_tokenizer: Callable[..., Any], cache: Path
    ) -> None:
        import torch

        folder, twin = build("oasst-pythia", cache, make_tokenizer(TURNS))
        said = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(said | {"pooling": "mean"}))
        model = load_reward_model(folder)
        rows = token_rows(2, avoid=model.pad_token_id)
        ids = rows[1]
        hidden = model.model.body(torch.tensor([ids])).last_hidden_state.mean(1)
        expected = float(model.model.reward_head(hidden).detach())
        scores = model.score_batch([Encoded(row) for row in (ids, ids * 3)])
        assert scores[0] == pytest.approx(expected, abs=1e-5)
        assert twin(ids) != pytest.approx(expected, abs=1e-3)
        (folder / "config.json").write_text(json.dumps(said | {"pooling": "max"}))
        with pytest.raises(CharmError, match="pooling 'max'"):
            load_reward_model(folder)


def test_the_page_has_the_tables_that_the_registry_makes() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "make_models.py"
    spec = importlib.util.spec_from_file_location("make_models", page)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    fresh = module.render() == module.PAGE.read_text(encoding="utf-8")
    assert fresh, "docs/models.md is stale; write it with: python docs/make_models.py"
    assert all(f"`{name}`" in module.tables() for name in NAMES)
