"""Reward models served by vLLM: ``/classify``, ``/pooling`` and ``/score``.

The trap: vLLM squashes a classifier's output unless told not to: a sigmoid where there is one output, a softmax where there
are several. Rewards are raw numbers, so every request says ``use_activation: false``. Servers that are too old to know
that squash silently; :class:`~.rewards.RemoteReward` says so when it sees it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..conversations import prompt_text
from ..errors import ConfigError, ModelError, RemoteRefused, did_you_mean, listing
from ..memo import content_key
from ..protocols import Prompt
from .client import Session
from .problems import BadRequest, Malformed
from .reading import in_order, messages_of, name_in, number, one_number, whole_text
from .secret import Secret

ENDPOINTS = ("classify", "pooling", "last-token", "score")
_BATCH = 32
_MOST_MODELS = 1000
_TASKS = {"pooling": "classify", "last-token": "token_classify"}


@dataclass(frozen=True)
class VllmModel:
    """A model at a vLLM server, and how it is asked."""

    name: str
    root: str
    max_length: int | None
    endpoint: str
    layout: str
    truncate: bool

    @property
    def fingerprint(self) -> str:
        """Hash of the model's name and path at the server, its length limit and the options; vLLM tells no revision."""
        options = (self.endpoint, self.layout, self.truncate)
        return content_key("vllm", 1, self.name, self.root, self.max_length, *options)

    def batches(self, rows: Sequence[tuple[Prompt, str]]) -> list[list[int]]:
        """Messages go one conversation a request, as vLLM takes them; texts go many. vLLM batches by itself either way."""
        size = 1 if self.layout == "chat" else _BATCH
        return [list(range(start, min(start + size, len(rows)))) for start in range(0, len(rows), size)]

    async def score(self, session: Session, rows: Sequence[tuple[Prompt, str]]) -> list[float]:
        """One reward per row."""
        path = "/pooling" if self.endpoint == "last-token" else f"/{self.endpoint}"
        try:
            return await session.post(path, self._request(rows), lambda answer: self._read(answer, len(rows)))
        except RemoteRefused as error:
            if error.status == 404:
                error.fix = (
                    f"this vLLM has no {path} for this model: serve it with --runner pooling, or use another "
                    f"endpoint ({', '.join(ENDPOINTS)})"
                )
            raise
        except BadRequest as bad:
            if "chat template" in bad.message:
                bad.error.fix = (
                    "start the server with --chat-template, or give layout='text' in Python (load_scorer)"
                )
            elif "length" in bad.message:
                bad.error.fix = "shorten the text, serve with a larger --max-model-len, or give truncate=True in Python (load_scorer)"
            raise

    def _request(self, rows: Sequence[tuple[Prompt, str]]) -> dict[str, Any]:
        request: dict[str, Any] = {"model": self.name, "use_activation": False}
        if self.truncate:
            request["truncate_prompt_tokens"] = -1
        if self.endpoint in _TASKS:
            request["task"] = _TASKS[self.endpoint]
        if self.endpoint == "score":
            pairs = {"text_1": [prompt_text(p) for p, _ in rows], "text_2": [r for _, r in rows]}
            return request | pairs
        if self.layout == "text":
            return request | {"input": [whole_text(p, r) for p, r in rows]}
        # The template closes the answer; nothing is to be added to it, neither a BOS nor the opening of a further turn.
        return request | {
            "messages": messages_of(*rows[0]),
            "add_generation_prompt": False,
            "add_special_tokens": False,
        }

    def _read(self, answer: Any, n: int) -> list[float]:
        if not isinstance(answer, Mapping):
            raise Malformed("the answer is not an object")
        return [self._reward(item) for item in in_order(answer.get("data"), n)]

    def _reward(self, item: Mapping[str, Any]) -> float:
        what = f"/{self.endpoint}"
        if self.endpoint == "score":
            return number(item.get("score"), what=what)
        if self.endpoint == "classify":
            return one_number(item.get("probs"), what=what, where=self.name)
        values = item.get("data")
        if not isinstance(values, list) or not values:
            raise Malformed("/pooling gives something that is no list of numbers")
        rows = values if isinstance(values[0], list) else [[value] for value in values]
        if self.endpoint == "pooling" and len(values) > 1 and isinstance(values[0], list):
            raise ModelError(
                f"/pooling gives the outputs of {len(values)} tokens, not one for the whole text",
                where=self.name,
                fix="where the last token's number is the reward, say so in Python: load_scorer(..., endpoint='last-token')",
            )
        if self.endpoint == "pooling" and not isinstance(values[0], list):
            rows = [values]
        return one_number(rows[-1], what="/pooling", where=self.name)


async def open_vllm(
    session: Session, *, model: str | None, endpoint: str | None, layout: str | None, truncate: bool
) -> VllmModel:
    """Ask a vLLM server for its models, and choose.

    Raises:
        ConfigError: it does not serve ``model``, or several and none is named; an unknown endpoint or layout.
    """
    endpoint = endpoint or "classify"
    layout = layout or ("pair" if endpoint == "score" else "chat")
    if endpoint not in ENDPOINTS:
        raise ConfigError(f"endpoint {endpoint!r} is unknown", fix=f"use one of {', '.join(ENDPOINTS)}")
    if layout not in (("pair",) if endpoint == "score" else ("chat", "text")):
        raise ConfigError(
            f"layout {layout!r} does not go with endpoint {endpoint}",
            fix="use chat or text; score takes pairs alone",
        )
    try:
        served = await session.get("/v1/models", lambda answer: listed_models(answer, session.secret))
    except RemoteRefused as error:
        if error.status == 404:
            error.fix = "give the root of the vLLM server, like http://localhost:8000"
        raise
    card = _chosen(served, model)
    length = card.get("max_model_len")
    return VllmModel(
        name=card["id"],
        root=card["root"] if isinstance(card.get("root"), str) else card["id"],
        max_length=length if isinstance(length, int) else None,
        endpoint=endpoint,
        layout=layout,
        truncate=truncate,
    )


def listed_models(answer: Any, secret: Secret) -> list[Mapping[str, Any]]:
    """The models of ``/v1/models``.

    Raises:
        Malformed: it lists none, or names that cannot be shown.
    """
    data = answer.get("data") if isinstance(answer, Mapping) else None
    cards = data if isinstance(data, list) else []
    if not 0 < len(cards) <= _MOST_MODELS or not all(isinstance(card, Mapping) for card in cards):
        raise Malformed("/v1/models lists no models")
    for card in cards:
        name_in(card.get("id"), otherwise="/v1/models lists no models", secret=secret)
    return cards


def _chosen(served: Sequence[Mapping[str, Any]], model: str | None) -> Mapping[str, Any]:
    names = [card["id"] for card in served]
    if model is not None:
        if model not in names:
            raise ConfigError(
                f"the server has no model {model!r}; it has {listing(names)}.{did_you_mean(model, names)}",
                fix="name one that it has",
            )
        return served[names.index(model)]
    # Adapters are listed beside the model that they belong to.
    bases = [card for card in served if not card.get("parent")]
    if len(bases) != 1:
        raise ConfigError(f"the server has {listing(names)}", fix="name one of them (model)")
    return bases[0]
