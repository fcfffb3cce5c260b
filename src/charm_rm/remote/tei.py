"""Reward models served by Text Embeddings Inference: ``/predict``.

Two traps: TEI squashes scores unless ``raw_scores`` is true, and by default it cuts long texts without a word. Every request
sets both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..conversations import prompt_text
from ..errors import ConfigError, ModelError
from ..memo import content_key
from ..protocols import Prompt
from .client import Session
from .problems import Malformed
from .reading import name_in, number, whole_text
from .secret import Secret

# TEI takes bodies of 2 MB unless told otherwise; a larger batch is halved on its answer 413.
_CHARACTERS = 400_000


@dataclass(frozen=True)
class TeiModel:
    """A model at a TEI server, and how it is asked."""

    name: str
    revision: str | None
    precision: str
    most_rows: int
    layout: str
    truncate: bool

    @property
    def fingerprint(self) -> str:
        """Hash of the model, its revision and precision, and the options."""
        return content_key("tei", 1, self.name, self.revision, self.precision, self.layout, self.truncate)

    def batches(self, rows: Sequence[tuple[Prompt, str]]) -> list[list[int]]:
        """As many rows as the server takes at once, and not too much text."""
        found: list[list[int]] = []
        size = 0
        for index, row in enumerate(rows):
            length = sum(map(len, self._texts(row)))
            if not found or len(found[-1]) == self.most_rows or size + length > _CHARACTERS:
                found.append([])
                size = 0
            found[-1].append(index)
            size += length
        return found

    async def score(self, session: Session, rows: Sequence[tuple[Prompt, str]]) -> list[float]:
        """One reward per row."""
        request = {
            "inputs": [self._texts(row) for row in rows],
            "raw_scores": True,
            "truncate": self.truncate,
        }
        return await session.post("/predict", request, lambda answer: self._read(answer, len(rows)))

    def _texts(self, row: tuple[Prompt, str]) -> list[str]:
        prompt, response = row
        return [prompt_text(prompt), response] if self.layout == "pair" else [whole_text(prompt, response)]

    def _read(self, answer: Any, n: int) -> list[float]:
        if not isinstance(answer, list) or len(answer) != n:
            raise Malformed(
                f"{len(answer) if isinstance(answer, list) else 'no list of'} results for {n} texts"
            )
        return [self._reward(item) for item in answer]

    def _reward(self, item: Any) -> float:
        if not isinstance(item, list) or not item or not isinstance(item[0], Mapping):
            raise Malformed("/predict gives something that is no list of labels with scores")
        if len(item) > 1:
            raise _several(len(item), self.name)
        return number(item[0].get("score"), what="/predict")


async def open_tei(
    session: Session, *, model: str | None, endpoint: str | None, layout: str | None, truncate: bool
) -> TeiModel:
    """Ask a TEI server what it serves.

    Raises:
        ModelError: it serves embeddings, or a classifier with several labels.
        ConfigError: it serves another model than ``model``; an unknown endpoint or layout.
    """
    layout = layout or "pair"
    if endpoint not in (None, "predict") or layout not in ("pair", "text"):
        raise ConfigError(
            f"endpoint {endpoint or 'predict'!r} with layout {layout!r} is unknown",
            fix="TEI takes endpoint predict, layout pair or text",
        )
    info = await session.get("/info", lambda answer: _info(answer, session.secret))
    name = info["model_id"]
    if model is not None and model not in (name, info.get("served_model_name")):
        raise ConfigError(f"the server has the model {name!r}, not {model!r}", fix="name that, or none")
    _check_reward(info, name)
    most = info.get("max_client_batch_size")
    return TeiModel(
        name=name,
        revision=info.get("model_sha") if isinstance(info.get("model_sha"), str) else None,
        precision=info["model_dtype"] if isinstance(info.get("model_dtype"), str) else "",
        most_rows=most if isinstance(most, int) and most > 0 else 1,
        layout=layout,
        truncate=truncate,
    )


def _info(answer: Any, secret: Secret) -> Mapping[str, Any]:
    if not isinstance(answer, Mapping):
        raise Malformed("/info names no model")
    name_in(answer.get("model_id"), otherwise="/info names no model", secret=secret)
    return answer


def _check_reward(info: Mapping[str, Any], name: str) -> None:
    kind = info.get("model_type")
    kinds = kind if isinstance(kind, Mapping) else {}
    classifier = kinds.get("classifier") or kinds.get("reranker")
    if not isinstance(classifier, Mapping):
        raise ModelError(
            "the server's model gives embeddings, not scores",
            where=name,
            fix="serve a sequence classifier with one output",
        )
    labels = classifier.get("id2label")
    if isinstance(labels, Mapping) and len(labels) > 1:
        raise _several(len(labels), name)


def _several(n: int, name: str) -> ModelError:
    return ModelError(
        f"the model gives {n} numbers per text; a reward model has one output",
        where=name,
        fix="serve a model with one output",
    )
