"""The last layer of an encoder for its first token alone: the same rewards and gradients, or nothing changed."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from charm_rm.models.first_token import compute_first_token_alone

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch", reason="needs the [hf] extra")
transformers = pytest.importorskip("transformers", reason="needs the [hf] extra")

SIZE = {
    "vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 40, "num_labels": 1, "initializer_range": 0.5,
}  # fmt: skip


def encoder(kind: str, **settings: Any) -> Any:
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**SIZE, **settings)
    return getattr(transformers, f"{kind}ForSequenceClassification")(config).double().eval()


def rewards(model: Any) -> Any:
    torch.manual_seed(1)
    ids = torch.randint(3, 50, (4, 9))
    mask = (torch.arange(9) < torch.tensor([[9], [3], [1], [8]])).long()
    return model(input_ids=ids, attention_mask=mask).logits[:, 0]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", ["Bert", "Roberta", "XLMRoberta", "Camembert", "Electra"])
def test_rewards_and_gradients_stay_the_same(kind: str, attention: str) -> None:
    whole = encoder(kind)
    whole.set_attn_implementation(attention)
    less = copy.deepcopy(whole)
    assert compute_first_token_alone(less)
    assert less.state_dict().keys() == whole.state_dict().keys()
    for model in (whole, less):
        rewards(model).square().sum().backward()
    torch.testing.assert_close(rewards(less), rewards(whole), atol=1e-12, rtol=1e-12)
    reached = 0
    for (name, a), b in zip(whole.named_parameters(), less.parameters(), strict=True):
        assert (a.grad is None) == (b.grad is None), name
        if a.grad is not None:
            torch.testing.assert_close(a.grad, b.grad, atol=1e-10, rtol=1e-10, msg=name)
            reached += bool(a.grad.abs().max() > 0)
    assert reached > 30


def test_only_one_token_leaves_the_last_layer() -> None:
    model = encoder("Bert")
    assert compute_first_token_alone(model)
    widths = []
    for layer in model.bert.encoder.layer:
        layer.register_forward_hook(lambda _m, _i, out: widths.append(out.shape[1]))
    rewards(model)
    assert widths == [9, 1]


def test_dropout_is_that_of_the_whole_layer() -> None:
    """Each of its three places alone: the spread of rewards over many draws agrees, within 4 standard errors of it."""
    for place in ("attention.self", "attention.output", "output"):
        spread = []
        for change in (False, True):
            model = encoder("Bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
            if change:
                assert compute_first_token_alone(model)
            model.train().bert.encoder.layer[-1].get_submodule(place).dropout.p = 0.4
            torch.manual_seed(2)
            ids = torch.randint(3, 50, (1, 9)).expand(4000, 9)
            spread.append(float(model(input_ids=ids).logits.detach().std()))
        assert spread[0] > 0.01
        assert spread[1] == pytest.approx(spread[0], rel=4 * 2**0.5 * 0.02)


def test_other_models_stay_as_they_are() -> None:
    config = transformers.LlamaConfig(
        vocab_size=40, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        num_labels=1, pad_token_id=0,
    )  # fmt: skip
    assert not compute_first_token_alone(transformers.LlamaForSequenceClassification(config))


class ReadsTheLast(torch.nn.Module):
    """A head of the last token: there is none where the layer computes the first alone."""

    def forward(self, hidden: Any) -> Any:
        return hidden[:, -1]


def test_a_model_that_reads_more_is_left_alone() -> None:
    model = encoder("Bert")
    model.bert.pooler = ReadsTheLast()
    before = type(model.bert.encoder.layer[-1])
    assert not compute_first_token_alone(model)
    assert type(model.bert.encoder.layer[-1]) is before


def test_a_layer_of_other_parts_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model = encoder("Bert")
    layer = model.bert.encoder.layer[-1]
    monkeypatch.setattr(type(layer), "feed_forward_chunk", property(lambda _self: None))
    monkeypatch.setattr(type(layer), "forward", lambda _self, hidden, *_a, **_k: hidden)
    assert not compute_first_token_alone(model)
    assert type(layer).__name__ == "BertLayer"
