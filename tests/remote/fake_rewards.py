"""What vLLM and Text Embeddings Inference answer, after their documented schemas, over a made-up reward model.

vLLM: docs/models/pooling_models and vllm/entrypoints/pooling (2026); TEI: router/src/http (2026-07).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from remote.fault_server import Answer, Asked


def raw_reward(prompt: str, response: str) -> float:
    """The made-up model: any number that differs from pair to pair and is far outside of [0, 1]."""
    return (sum(map(ord, response)) % 997) / 10 - (sum(map(ord, prompt)) % 89) / 7 - 30


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


class Vllm:
    """A vLLM server that serves one sequence classifier (``labels`` 1: a reward model)."""

    def __init__(
        self,
        *,
        labels: int = 1,
        knows_activation: bool = True,
        template: bool = True,
        max_model_len: int = 4096,
        by_token: bool = False,
        routes: Sequence[str] = ("/classify", "/pooling", "/score"),
        adapters: Sequence[str] = (),
    ) -> None:
        self.labels = labels
        self.knows_activation = knows_activation
        self.template = template
        self.max_model_len = max_model_len
        self.by_token = by_token
        self.routes = routes
        self.adapters = adapters

    def __call__(self, asked: Asked) -> Answer:
        if asked.path == "/v1/models":
            return Answer({"object": "list", "data": self._cards()})
        if asked.method != "POST" or asked.path not in self.routes:
            return Answer({"detail": "Not Found"}, status=404)
        body = asked.body
        if body.get("model") != "org/reward":
            return _error(404, f"The model `{body.get('model')}` does not exist.", "NotFoundError")
        try:
            texts = self._texts(asked.path, body)
        except ValueError as error:
            return _error(400, str(error), "BadRequestError")
        data = [self._item(asked.path, body, i, raw_reward(*pair)) for i, pair in enumerate(texts)]
        usage = {"prompt_tokens": 3, "total_tokens": 3, "completion_tokens": 0}
        return Answer({"id": "x-1", "object": "list", "model": body["model"], "data": data, "usage": usage})

    def _cards(self) -> list[dict[str, Any]]:
        base = {"id": "org/reward", "object": "model", "owned_by": "vllm", "root": "/models/reward"}
        card = base | {"parent": None, "max_model_len": self.max_model_len, "permission": []}
        return [card, *({**card, "id": a, "parent": "org/reward"} for a in self.adapters)]

    def _texts(self, path: str, body: Mapping[str, Any]) -> list[tuple[str, str]]:
        if path == "/score":
            return list(zip(body["text_1"], body["text_2"], strict=True))
        if path == "/pooling":
            wanted = "token_classify" if self.by_token else "classify"
            if body.get("task", wanted) != wanted:
                raise ValueError(f"Unsupported task: {body['task']!r} Supported tasks: [{wanted!r}]")
        if "messages" in body:
            return [self._rendered(body)]
        return [_split(text) for text in body["input"]]

    def _rendered(self, body: Mapping[str, Any]) -> tuple[str, str]:
        if not self.template:
            raise ValueError("As of transformers v4.44, default chat template is no longer allowed")
        if body.get("add_special_tokens") or body.get("add_generation_prompt"):
            raise ValueError("the template closes the conversation")
        *context, answer = body["messages"]
        size = sum(len(m["content"].split()) for m in body["messages"])
        if size > self.max_model_len and body.get("truncate_prompt_tokens") is None:
            raise ValueError(
                f"This model's maximum context length is {self.max_model_len} tokens. However, your request has {size}"
            )
        return "|".join(m["content"] for m in context), answer["content"]

    def _item(self, path: str, body: Mapping[str, Any], index: int, raw: float) -> dict[str, Any]:
        squash = not (self.knows_activation and body.get("use_activation") is False)
        value = sigmoid(raw) if squash else raw
        if path == "/score":
            return {"index": index, "object": "score", "score": value}
        values = [value, *([0.0] * (self.labels - 1))]
        if path == "/classify":
            return {"index": index, "label": "LABEL_0", "probs": values, "num_classes": self.labels}
        return {
            "index": index,
            "object": "pooling",
            "data": [[-1.0], [5.0], values] if self.by_token else values,
        }


class Tei:
    """A Text Embeddings Inference server."""

    def __init__(
        self,
        *,
        kind: str = "classifier",
        labels: int = 1,
        most_rows: int = 4,
        most_bytes: int = 2_000_000,
        most_words: int = 512,
    ) -> None:
        self.kind, self.labels = kind, labels
        self.most_rows, self.most_bytes, self.most_words = most_rows, most_bytes, most_words

    def __call__(self, asked: Asked) -> Answer:
        if asked.path == "/info":
            return Answer(self._info())
        if asked.path != "/predict":
            return Answer(b"", status=404)
        inputs, body = asked.body["inputs"], asked.body
        if int(asked.headers["content-length"]) > self.most_bytes:
            return Answer(b"Failed to buffer the request body: length limit exceeded", status=413)
        if len(inputs) > self.most_rows:
            return _tei(
                422, f"batch size {len(inputs)} > maximum allowed batch size {self.most_rows}", "Validation"
            )
        if not all(isinstance(row, list) and len(row) in (1, 2) for row in inputs):
            return Answer(b"Failed to deserialize the JSON body", status=422)
        for row in inputs:
            words = sum(len(text.split()) for text in row)
            if words > self.most_words and not body.get("truncate", True):
                return _tei(
                    422,
                    f"`inputs` must have less than {self.most_words} tokens. Given: {words}",
                    "Validation",
                )
        return Answer([self._predictions(row, raw=body.get("raw_scores", False)) for row in inputs])

    def _info(self) -> dict[str, Any]:
        labels = {str(i): f"LABEL_{i}" for i in range(self.labels)}
        classifier = {"id2label": labels, "label2id": {v: int(k) for k, v in labels.items()}}
        return {
            "model_id": "org/reward",
            "model_sha": "fca14538aa9956a46526bd1d0d11d69e19b5a101",
            "model_dtype": "float16",
            "served_model_name": "reward",
            "model_type": {self.kind: {"pooling": "cls"} if self.kind == "embedding" else classifier},
            "max_concurrent_requests": 512,
            "max_input_length": 512,
            "max_batch_tokens": 16384,
            "max_batch_requests": None,
            "max_client_batch_size": self.most_rows,
            "auto_truncate": True,
            "tokenization_workers": 4,
            "version": "1.9.0",
            "sha": None,
            "docker_label": None,
        }

    def _predictions(self, row: Sequence[str], *, raw: bool) -> list[dict[str, Any]]:
        prompt, response = row if len(row) == 2 else _split(row[0])
        value = raw_reward(prompt, response)
        scores = [value if raw else sigmoid(value), *([0.5] * (self.labels - 1))]
        return sorted(
            ({"score": s, "label": f"LABEL_{i}"} for i, s in enumerate(scores)), key=lambda p: -p["score"]
        )


def _split(text: str) -> tuple[str, str]:
    """Our layout of a conversation as one text, taken apart."""
    prompt, response = text.split("\n\nAssistant: ", 1)
    return prompt.removeprefix("User: "), response


def _error(status: int, message: str, kind: str) -> Answer:
    return Answer({"error": {"message": message, "type": kind, "param": None, "code": status}}, status=status)


def _tei(status: int, message: str, kind: str) -> Answer:
    return Answer({"error": message, "error_type": kind}, status=status)
