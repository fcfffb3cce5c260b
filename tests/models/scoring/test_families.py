"""Every family of sequence classifiers that transformers has: its length limit, and scores that are each text's own."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the [hf] extra")
import torch
import transformers

from charm_rm.errors import CharmWarning, ModelError
from charm_rm.models import load_reward_model
from charm_rm.models.doctor.examine import refuse_unsound
from charm_rm.models.loading.libraries import quiet
from charm_rm.models.scoring.encoding import ResponseEncoder
from charm_rm.models.scoring.positions import _FIXED_PAD, _OFFSET, position_limit
from models import tiny_families

FEW = (
    "bart",
    "data2vec-text",
    "gemma3",
    "gpt2",
    "mpt",
    "phi3",
    "roberta",
    "roberta-prelayernorm",
    "t5",
    "xlnet",
    "xmod",
)
SHORT = [("p1 p2", "r1"), ("p1", "r2 r2 r2 r2 r3"), ("p3", "r3 r4")]
LONG = [("p4", " ".join(["r6"] * 30)), ("p4", " ".join(["r7 r8"] * 50))]
TEXTS = SHORT + LONG


@pytest.fixture(scope="module")
def words(make_tokenizer: Callable[..., Any]) -> Any:
    """A tokenizer whose pad token is its own, and no conversation's."""
    return make_tokenizer(None, pad="<system>")


def save(kind: str, folder: Path, words: Any) -> Path:
    more = {"pad_token_id": words.pad_token_id} | ({} if kind == "canine" else {"vocab_size": len(words)})
    with quiet():
        tiny_families.build(kind, **more).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def alone(folder: Path, rows: list[Any], pad: int) -> list[float]:
    """transformers' own score of each row by itself, by a model that has read no other."""
    found = []
    for row in rows:
        with quiet(), torch.inference_mode():
            fresh = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
            fresh.config.pad_token_id = fresh.config.get_text_config().pad_token_id = pad
            ids = torch.tensor([row.input_ids])
            found.append(float(fresh(input_ids=ids, attention_mask=torch.ones_like(ids)).logits))
    return found


def check(kind: str, folder: Path, words: Any) -> None:
    """The tiny model loads, passes the doctor's quick look, and scores texts of any length as each would be alone."""
    save(kind, folder, words)
    model = load_reward_model(folder, device="cpu")
    # transformers reads the words of some families in their own way, whatever tokenizer was saved.
    model = replace(model, encoder=ResponseEncoder(words, model.max_length))
    limit = position_limit(model.model.config)
    if kind in _OFFSET:
        assert limit == tiny_families.POSITIONS - _FIXED_PAD.get(kind, words.pad_token_id) - 1
        with pytest.raises((IndexError, RuntimeError)), torch.inference_mode():
            model.model(input_ids=torch.full((1, limit + 1), 9))
    refuse_unsound(model, [response for _, response in TEXTS])
    rows = model.encode_many([p for p, _ in TEXTS], [r for _, r in TEXTS])
    assert len(rows[-1]) == (limit or 107)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", CharmWarning)
        together = model([p for p, _ in TEXTS], [r for _, r in TEXTS])
    assert any(f"longer than {limit} tokens" in str(w.message) for w in said) == (limit is not None)
    assert together == pytest.approx(alone(folder, rows, model.pad_token_id), abs=2e-3, rel=1e-3)


@pytest.mark.parametrize("kind", FEW)
def test_a_family(kind: str, tmp_path: Path, words: Any) -> None:
    check(kind, tmp_path, words)


REFUSED = {
    "mra": "without its own CUDA kernel no token moves another: the doctor finds that the first alone is read"
}
BUILT = {*tiny_families.kinds()} - {*tiny_families.NOT_BUILT}


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_a_family_that_is_refused(kind: str, tmp_path: Path, words: Any) -> None:
    with pytest.raises(ModelError, match="its scores would be wrong"):
        check(kind, tmp_path, words)


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(BUILT - {*FEW, *REFUSED}))
def test_every_family(kind: str, tmp_path: Path, words: Any) -> None:
    check(kind, tmp_path, words)


def test_what_is_not_built_has_a_reason() -> None:
    assert {*tiny_families.NOT_BUILT} <= {*tiny_families.kinds()}
    assert all(tiny_families.NOT_BUILT.values())
