"""How many each stratum gives; clusters of embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charm_rm.sampling.choose import by_cluster, shares, uniform
from charm_rm.sampling.workspace import KEPT, Fate, Workspace, prompt_of

SIZES = st.dictionaries(st.text("abcd", min_size=1, max_size=2), st.integers(1, 50), min_size=1)


@settings(max_examples=50)
@given(sizes=SIZES, n=st.integers(0, 200), equal=st.booleans())
def test_shares_add_up_and_none_gives_more_than_it_has(sizes: dict[str, int], n: int, equal: bool) -> None:
    found = shares(sizes, n, equal=equal)
    assert sum(found.values()) == min(n, sum(sizes.values()))
    assert all(0 <= found[name] <= sizes[name] for name in sizes)
    if equal:
        short = [name for name in sizes if found[name] < sizes[name]]
        assert max((found[s] for s in short), default=0) - min((found[s] for s in short), default=0) <= 1
    elif n <= sum(sizes.values()):
        assert all(abs(found[s] - n * sizes[s] / sum(sizes.values())) < 1 for s in sizes)


def test_shares_by_hand() -> None:
    assert shares({"a": 7, "b": 2, "c": 1}, 5, equal=False) == {"a": 4, "b": 1, "c": 0}
    assert shares({"a": 7, "b": 2, "c": 1}, 5, equal=True) == {"a": 2, "b": 2, "c": 1}


def test_every_prompt_has_the_same_chance() -> None:
    drawn = np.zeros(10)
    for seed in range(200):
        with Workspace.open(seed=seed) as work:
            for i in range(10):
                one = prompt_of(f"ask {i}", prompt_id=None, source="s", place=i, kept={}, stratum=None)
                work.add(one, Fate(KEPT))
            drawn[np.array(uniform(work, 3)) - 1] += 1
    # 60 are expected of each, with a standard deviation of 6.5.
    assert np.abs(drawn - 60).max() < 4.5 * 6.5


def test_clusters_give_alike() -> None:
    """Nine texts in ten are of one kind; a diverse sample has the three kinds alike."""
    kinds = ["cat"] * 90 + ["sun"] * 6 + ["sea"] * 6
    texts = [f"{kind} {i}" for i, kind in enumerate(kinds)]

    def embed(some: Sequence[str]) -> np.ndarray:
        return np.array([[t.startswith(k) for k in ("cat", "sun", "sea")] for t in some], dtype=np.float32)

    def drawn(seed: int) -> dict[int, int]:
        with Workspace.open(seed=seed) as work:
            for i, text in enumerate(texts):
                work.add(
                    prompt_of(text, prompt_id=None, source="s", place=i, kept={}, stratum=None), Fate(KEPT)
                )
            return by_cluster(work, 15, 3, embed, seed=seed)

    found = drawn(0)
    assert sorted(np.bincount(list(found.values())).tolist()) == [5, 5, 5]
    assert {kinds[row - 1] for row in found} == {"cat", "sun", "sea"}
    assert found == drawn(0) != drawn(1)


@pytest.mark.slow
@pytest.mark.models
def test_embeddings_are_those_of_the_model_and_do_not_depend_on_what_is_beside(minilm_dir) -> None:  # type: ignore[no-untyped-def]
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from charm_rm.models import load_embedder

    embed = load_embedder(minilm_dir, device="cpu", batch_size=2)
    texts = [
        "A cat sat on the mat.",
        "Die Katze",
        "Stock prices fell sharply on Monday.",
        "A kitten sits on a rug.",
    ]
    found = embed(texts)
    assert np.allclose((found**2).sum(1), 1, atol=1e-5)
    assert found[0] @ found[3] > 0.5 > found[0] @ found[2]
    assert np.allclose(embed(texts[:1])[0], found[0], atol=1e-5)
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm_dir)
    model = transformers.AutoModel.from_pretrained(minilm_dir).eval()
    with torch.inference_mode():
        mean = model(**tokenizer(texts[0], return_tensors="pt")).last_hidden_state.mean(1)[0].numpy()
    assert np.allclose(mean / np.linalg.norm(mean), found[0], atol=1e-5)
