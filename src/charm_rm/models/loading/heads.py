"""Small modules that give every kind of reward model one face: ``model(**inputs).logits`` is (rows, 1), the reward.

They expose what scoring needs of a model: ``config``, ``dtype``, ``base_model``, ``reward_head`` (what must run
in float32), and ``score`` where the head is read at the last token.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import nn
from transformers.modeling_outputs import SequenceClassifierOutput

from ...errors import ModelError
from .head_names import find_head
from .reduction import Choice, reduce

_Pooling = Literal["last", "first", "mean"]


class _OnBackbone(nn.Module):
    """What reads the hidden states of a backbone."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        self.body = body
        self.config: Any = body.config

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the backbone."""
        dtype: torch.dtype = self.body.dtype
        return dtype

    @property
    def base_model(self) -> Any:
        """The backbone: ids in, hidden states out."""
        return self.body


class TokenReward(_OnBackbone):
    """A backbone and a head of its own, which reads one hidden state per row; the head runs in float32."""

    def __init__(self, body: Any, head: nn.Module, *, pooling: _Pooling = "last") -> None:
        super().__init__(body)
        self.reward_head = head.float()
        self.reward_head.register_forward_pre_hook(_in_float32)
        if pooling == "last":
            self.score = self.reward_head
        self.pooling = pooling
        self._takes = frozenset(inspect.signature(body.forward).parameters)
        self._options = {"use_cache": False} if "use_cache" in self._takes else {}

    # What a forward names is what scoring finds by its signature, so it is written out in each.
    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
    ) -> SequenceClassifierOutput:
        """The reward of each row; padding on either side is told by ``attention_mask``."""
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        taken = _taken(
            self._takes, attention_mask=mask, position_ids=position_ids, token_type_ids=token_type_ids
        )
        hidden = self.body(input_ids, **taken, **self._options).last_hidden_state
        return SequenceClassifierOutput(logits=self.reward_head(pool(hidden, mask, self.pooling)))


class ReducedOutputs(nn.Module):
    """A model with outputs of its own, in some field of its result, of which ``choice`` makes one reward."""

    def __init__(
        self,
        model: Any,
        choice: Choice | None,
        *,
        labels: Mapping[int, str] | None = None,
        sign: int = 1,
        field: str = "logits",
        where: str,
    ) -> None:
        super().__init__()
        self.model = model
        self.choice = choice
        self.labels = labels
        self.sign = sign
        self.field = field
        self.where = where
        self.config = model.config
        self._takes = frozenset(inspect.signature(model.forward).parameters)

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the model."""
        dtype: torch.dtype = self.model.dtype
        return dtype

    @property
    def base_model(self) -> Any:
        """The backbone of the model, where it says which part that is."""
        return getattr(self.model, "base_model", self.model)

    @property
    def reward_head(self) -> Any:
        """The model's head, by its name; None where it has another."""
        return find_head(self.model)

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
    ) -> SequenceClassifierOutput:
        """The reward of each row."""
        taken = _taken(
            self._takes,
            attention_mask=attention_mask,
            position_ids=position_ids,
            token_type_ids=token_type_ids,
        )
        outputs = self._outputs(self.model(input_ids=input_ids, **taken), rows=len(input_ids))
        weights, _ = reduce(self.choice, outputs.shape[1], self.labels, where=self.where)
        reward = outputs.float() @ torch.tensor(list(weights), device=outputs.device)
        return SequenceClassifierOutput(logits=self.sign * reward[:, None])

    def _outputs(self, result: Any, *, rows: int) -> torch.Tensor:
        """(rows, outputs), found in the field of the result."""
        values = result.get(self.field) if isinstance(result, dict) else getattr(result, self.field, None)
        if not isinstance(values, torch.Tensor) or values.shape[:1] != (rows,) or values.dim() > 2:
            raise ModelError(
                f"the model's result has no {self.field!r} of one row per text",
                where=self.where,
                fix="look into the model's own code for where its reward is",
            )
        return values.reshape(rows, -1)


class GatedReward(_OnBackbone):
    """Several objectives read at the last token, weighed by a gate that reads where the prompt ends; in float32.

    Args:
        body: the backbone.
        objectives: rows of weights, (objectives x quantiles, size); an objective is the mean of its quantiles.
        transform: (objectives, objectives), applied to the objectives before they are weighed.
        gate: hidden state -> logits of the weights, already divided by its temperature.
        scale: factor of the weights, which sum to 1 without it.
        pattern: token ids at whose last occurrence in a row the gate reads.
    """

    transform: torch.Tensor
    pattern: torch.Tensor

    def __init__(
        self,
        body: Any,
        objectives: torch.Tensor,
        transform: torch.Tensor,
        gate: nn.Module,
        *,
        scale: float,
        pattern: Sequence[int],
    ) -> None:
        super().__init__(body)
        self.objectives = linear(objectives)
        self.register_buffer("transform", transform.float())
        self.gate = gate.float()
        self.scale = scale
        self.register_buffer("pattern", torch.tensor(list(pattern)))

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
    ) -> SequenceClassifierOutput:
        """The reward of each row."""
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        hidden = self.body(
            input_ids, attention_mask=mask, position_ids=position_ids, use_cache=False
        ).last_hidden_state
        values = self.objectives(pool(hidden, mask, "last").float())
        values = values.reshape(len(values), len(self.transform), -1).mean(-1) @ self.transform
        rows = torch.arange(len(hidden), device=hidden.device)
        weights = self.gate(hidden[rows, self._prompt_ends(input_ids)].float()).softmax(-1)
        return SequenceClassifierOutput(logits=self.scale * (weights * values).sum(-1, keepdim=True))

    def _prompt_ends(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Where the pattern begins for the last time, (rows,)."""
        found: torch.Tensor = torch.eq(input_ids.unfold(1, len(self.pattern), 1), self.pattern).all(-1)
        if not found.any(-1).all():
            raise ModelError(
                f"a text lacks the tokens {self.pattern.tolist()}, at which this model's gate reads the prompt",
                fix="use the model's own tokenizer and chat template",
            )
        return torch.mul(found, torch.arange(found.shape[1], device=found.device)).argmax(-1)


class PairHead(nn.Module):
    """PairRM: a backbone, and a head over the hidden states of the source token and one candidate's token."""

    def __init__(self, body: Any, layers: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
        super().__init__()
        self.body = body
        self.config: Any = body.config
        self.inner, self.outer = (linear(weight, bias) for weight, bias in layers)

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the backbone."""
        dtype: torch.dtype = self.body.dtype
        return dtype

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, marks: torch.Tensor
    ) -> torch.Tensor:
        """(rows,) log-odds that the first is better; ``marks`` (rows, 3): where source and candidates are."""
        hidden = self.body(input_ids, attention_mask=attention_mask).last_hidden_state.float()
        source, first, second = hidden[
            torch.arange(len(hidden), device=hidden.device)[:, None], marks
        ].unbind(1)
        scores = [self.outer(self.inner(torch.cat([source, c], -1)).tanh()) for c in (first, second)]
        logits: torch.Tensor = (scores[0] - scores[1]).mean(-1)
        return logits


def _in_float32(_head: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Whatever the precision of the hidden states, and whoever calls the head."""
    return tuple(x.float() for x in inputs)


def _taken(names: frozenset[str], **offered: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """Those of the inputs that there are and that the inner model takes."""
    return {name: value for name, value in offered.items() if value is not None and name in names}


def pool(hidden: torch.Tensor, mask: torch.Tensor, pooling: _Pooling) -> torch.Tensor:
    """(rows, tokens, size) -> (rows, size): of the last or first token that is no padding, or their mean."""
    real = mask.bool()
    if pooling == "mean":
        weights = real[:, :, None].float()
        return (hidden.float() * weights).sum(1) / weights.sum(1)
    places = torch.arange(hidden.shape[1], device=hidden.device).expand(len(hidden), -1)
    if pooling == "last":
        at = places.masked_fill(~real, -1).argmax(1)
    else:
        at = places.masked_fill(~real, hidden.shape[1]).argmin(1)
    return hidden[torch.arange(len(hidden), device=hidden.device), at]


def linear(weight: torch.Tensor, bias: torch.Tensor | None = None) -> nn.Linear:
    """A float32 linear layer with these weights."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer


def combined(layer: nn.Linear, weights: Sequence[float], *, scale: float, shift: float) -> nn.Linear:
    """The layer with one output: scale times (the weighted sum of its outputs) plus shift."""
    row = scale * torch.tensor(list(weights), dtype=torch.float32)
    bias = torch.zeros(len(weights)) if layer.bias is None else layer.bias.detach()
    return linear((row @ layer.weight.detach())[None], (row @ bias)[None] + shift)
