"""Micro-batches: every pair once, the cheapest passes, the gradient and the order of the plain padded way."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.tiny_models import simple_preferences, tiny_bert, tiny_llama

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch", reason="needs the [hf] extra")
trl = pytest.importorskip("trl", reason="needs the [hf] extra")
pytest.importorskip("datasets", reason="needs the [hf] extra")

LENGTHS = st.lists(st.integers(1, 300), min_size=1, max_size=9)


@given(LENGTHS, st.integers(0, 200))
def test_rows_are_split_at_the_least_cost(lengths: list[int], pass_cost: int) -> None:
    """Against every way to cut the sorted rows; any other grouping costs no less, as rows of one length are alike."""
    from charm_rm.models.training.micro_batches import split_rows

    def cost(parts: Any) -> int:
        return sum(len(p) * max(p) + pass_cost for p in parts)

    parts = split_rows(lengths, pass_cost=pass_cost)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(lengths)))
    ordered, n = sorted(lengths, reverse=True), len(lengths)
    ways = ([0, *cuts, n] for k in range(n) for cuts in itertools.combinations(range(1, n), k))
    least = min(cost([ordered[a:b] for a, b in itertools.pairwise(way)]) for way in ways)
    assert cost([[lengths[i] for i in part] for part in parts]) == least


@given(
    st.lists(st.tuples(st.integers(1, 99), st.integers(1, 99)), min_size=1, max_size=30), st.integers(1, 9)
)
def test_pairs_are_grouped_longest_first(lengths: list[tuple[int, int]], at_once: int) -> None:
    from charm_rm.models.training.micro_batches import group_pairs

    groups = group_pairs(np.array(lengths), at_once=at_once)
    assert sorted(np.concatenate(groups).tolist()) == list(range(len(lengths)))
    sizes = [len(g) for g in groups]
    assert max(sizes) <= at_once
    assert max(sizes) - min(sizes) <= 1
    assert len(groups) == -(-len(lengths) // at_once)
    longest = [max(lengths[i]) for g in groups for i in g]
    assert longest == sorted(longest, reverse=True)


@given(LENGTHS, st.integers(0, 200), st.integers(1, 300))
def test_a_pass_reads_rows_of_one_regime(lengths: list[int], pass_cost: int, switch: int) -> None:
    """Passes on one side of the length at which positions change, every row in one of them, found again by its place."""
    from charm_rm.models.scoring.encoding import Encoded
    from charm_rm.models.scoring.positions import Regimes
    from charm_rm.models.training.micro_batches import make_passes

    rows = [Encoded([i + 1] * n) for i, n in enumerate(lengths)]
    passes, places = make_passes(rows, pad_token_id=0, pass_cost=pass_cost, regimes=Regimes((switch,)))
    for one in passes:
        inside = one["attention_mask"].sum(1)
        assert (inside > switch).all() or (inside <= switch).all()
    named = torch.cat([one["input_ids"][:, 0] for one in passes])
    assert named[places].tolist() == list(range(1, len(lengths) + 1))


def examples(n: int, *, types: bool, seed: int = 0, vocabulary: int = 15) -> list[dict[str, Any]]:
    """Pairs of uneven lengths, with margins and soft labels."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        row: dict[str, Any] = {"margin": rng.normal(), "p_chosen": rng.uniform()}
        for side in ("chosen", "rejected"):
            length = int(rng.integers(2, 60))
            row[f"{side}_ids"] = rng.integers(3, vocabulary, length).astype(np.int32)
            if types:
                row[f"{side}_types"] = (np.arange(length) > length // 2).astype(np.int32)
        rows.append(row)
    return rows


def plain_loss(model: Any, rows: list[dict[str, Any]], targets: tuple[str, ...]) -> Any:
    """The loss of all pairs at once, padded by TRL's collator."""
    from trl.trainer.reward_trainer import DataCollatorForPreference
    from trl.trainer.utils import pad

    from charm_rm.models.training.losses import bradley_terry_loss

    inputs = DataCollatorForPreference(pad_token_id=0)(rows)
    given = {name: torch.tensor([float(r[name]) for r in rows]) for name in targets}
    inputs.pop("margin", None)
    if "chosen_types" in rows[0]:
        types = [torch.tensor(r[f"{side}_types"]) for side in ("chosen", "rejected") for r in rows]
        inputs["token_type_ids"] = pad(types, padding_value=0, padding_side="right")
    return bradley_terry_loss(*model(**inputs).logits[:, 0].chunk(2), **given)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, minilm_dir: Path) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {"bert": tiny_bert(folder / "bert", minilm_dir), "llama": tiny_llama(folder / "llama")}


def trainer_of(folder: Path, checkpoints: Path, *, n: int = 24, **settings: Any) -> Any:
    """A trainer of the model on ``n`` simple pairs, and its pairs."""
    from charm_rm.models.training.base import load_base
    from charm_rm.models.training.pairs import encode_pairs
    from charm_rm.models.training.settings import TrainSettings
    from charm_rm.models.training.trainer import build_trainer

    asked = TrainSettings(dropout=False, save_every=0, bf16=False, **settings)
    base = load_base(folder, settings=asked)
    pairs = encode_pairs(simple_preferences(n), base.encoder)
    return build_trainer(
        base.model, base.tokenizer, pairs, settings=asked, checkpoints=checkpoints, progress=False
    )


@pytest.mark.parametrize(
    "targets", [(), ("margin",), ("margin", "p_chosen")], ids=["plain", "margin", "soft"]
)
@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_a_steps_gradient_is_that_of_the_padded_batch(
    kind: str, targets: tuple[str, ...], models: dict[str, Path], tmp_path: Path
) -> None:
    """Seven pairs in micro-batches of 3, 2 and 2, their rows in several passes, against one padded pass."""
    from charm_rm.models.training.micro_batches import PairCollator

    trainer = trainer_of(models[kind], tmp_path)
    model = trainer.model.double()
    rows = examples(7, types=kind == "bert")
    kept = [{k: v for k, v in r.items() if k not in {"margin", "p_chosen"} - set(targets)} for r in rows]
    expected = plain_loss(model, kept, targets)
    expected.backward()
    gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    batch = PairCollator(pad_token_id=trainer.processing_class.pad_token_id, at_once=3, pass_cost=8)(kept)
    assert [round(7 * m["share"]) for m in batch["micro_batches"]] == [3, 2, 2]
    assert any(len(m["passes"]) > 1 for m in batch["micro_batches"])
    loss = trainer.training_step(model, batch, None)
    assert float(loss) == pytest.approx(expected.item(), abs=1e-6)
    for name, parameter in model.named_parameters():
        if name in gradients:
            np.testing.assert_allclose(parameter.grad, gradients[name], atol=1e-6, err_msg=name)
    assert trainer.accelerator.sync_gradients


def test_optimiser_batches_are_those_of_the_plain_sampler(models: dict[str, Path], tmp_path: Path) -> None:
    """Two epochs of 22 pairs in steps of 8: step by step the pairs of TRL's own trainer, and each pair once an epoch."""
    ours = trainer_of(models["llama"], tmp_path, n=22, batch_size=8, device_batch_size=2, epochs=2, seed=5)
    args = trl.RewardConfig(
        output_dir=str(tmp_path), per_device_train_batch_size=2, gradient_accumulation_steps=4, use_cpu=True,
        bf16=False, seed=5, data_seed=5, report_to="none", num_train_epochs=2, max_length=None,
    )  # fmt: skip
    theirs = trl.RewardTrainer(
        model=ours.model, args=args, train_dataset=ours.train_dataset, processing_class=ours.processing_class
    )
    loaders = ours.get_train_dataloader(), theirs.get_train_dataloader()
    epochs = []
    for epoch in range(2):
        for loader in loaders:
            loader.set_epoch(epoch)
        steps = [read_by_us(batch) for batch in loaders[0]]
        parts = [read_by_trl(batch) for batch in loaders[1]]
        plain = [sorted(itertools.chain(*parts[i : i + 4])) for i in range(0, len(parts), 4)]
        assert [sorted(step) for step in steps] == plain
        assert [len(step) for step in steps] == [8, 8, 6]
        epochs.append(list(itertools.chain(*steps)))
    every = [(tuple(e["chosen_ids"]), tuple(e["rejected_ids"])) for e in ours.train_dataset]
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(every)
    assert epochs[0] != epochs[1]


def read_by_us(batch: dict[str, Any]) -> list[tuple[Any, ...]]:
    """(chosen, rejected) token ids of the pairs of an optimiser batch."""
    pairs = []
    for micro in batch["micro_batches"]:
        rows = [
            tuple(ids[mask == 1].tolist())
            for inputs in micro["passes"]
            for ids, mask in zip(inputs["input_ids"], inputs["attention_mask"], strict=True)
        ]
        ordered = [rows[place] for place in micro["places"]]
        pairs += list(zip(ordered[: len(rows) // 2], ordered[len(rows) // 2 :], strict=True))
    return pairs


def read_by_trl(batch: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The same of a padded batch of TRL's."""
    rows = [
        tuple(ids[mask == 1].tolist())
        for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)
    ]
    return list(zip(rows[: len(rows) // 2], rows[len(rows) // 2 :], strict=True))
