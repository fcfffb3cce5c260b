"""Reward models behind an HTTP address: ``vllm:URL`` and ``tei:URL`` -> a :class:`~charm_rm.protocols.ScalarReward`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import CharmWarning, ConfigError, ModelError
from ..protocols import Prompt
from .client import Client, Session
from .patience import Patience
from .problems import BadRequest
from .running import each, streamed
from .tei import TeiModel, open_tei
from .vllm import VllmModel, open_vllm

T = TypeVar("T")
Row = tuple[Prompt, str]

# Rows given to one call at most: enough to keep the server busy, few enough that a kill loses little.
CHUNK_SIZE = 512
# This many different rewards, all between 0 and 1, are hardly raw ones.
_SUSPICIOUS = 8


class ServedModel(Protocol):
    """What a kind of server needs: who it is, how many rows go into a request, and what to send."""

    @property
    def name(self) -> str:
        """The model, in the server's words."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of server kind, model, revision and options."""
        ...

    def batches(self, rows: Sequence[Row]) -> list[list[int]]:
        """Row numbers, request by request."""
        ...

    async def score(self, session: Session, rows: Sequence[Row]) -> list[float]:
        """One reward per row."""
        ...


class RemoteReward:
    """A :class:`~charm_rm.protocols.ScalarReward` behind an address; make one with :func:`load_remote_reward`.

    ``chunk_size`` is how many rows a call should get at most.
    """

    chunk_size = CHUNK_SIZE

    def __init__(self, source: str, client: Client, model: ServedModel) -> None:
        self.source = source
        self.model_name = model.name
        self.fingerprint = model.fingerprint
        self._client = client
        self._model = model
        self._told = False

    def __call__(self, prompts: Sequence[Prompt], responses: Sequence[str]) -> NDArray[np.float64]:
        """Score each response to its prompt.

        Raises:
            RemoteError: the server has no usable answer for all that was tried.
            RemoteRefused: it refuses a row (the message says which), the key or the model.
            ModelError: a reward is not finite, or the model has more than one output.
        """
        rows = list(zip(prompts, responses, strict=True))
        rewards = np.full(len(rows), np.nan)
        scored: Generator[tuple[int, float], None, None] = streamed(lambda emit: self._all(rows, emit))
        with closing(scored):
            for index, reward in scored:
                rewards[index] = reward
        self._check(rewards)
        return rewards

    async def _all(self, rows: Sequence[Row], emit: Callable[[tuple[int, float]], None]) -> None:
        async with self._client.session() as session:

            async def work(batch: list[int]) -> None:
                for index, reward in await self._batch(session, rows, batch):
                    emit((index, reward))

            await each(self._model.batches(rows), work, workers=self._client.concurrency)

    async def _batch(
        self, session: Session, rows: Sequence[Row], batch: list[int]
    ) -> list[tuple[int, float]]:
        """Score a batch; one that the server cannot use is halved until the row is found that it cannot use."""
        try:
            rewards = await self._model.score(session, [rows[i] for i in batch])
            return list(zip(batch, rewards, strict=True))
        except BadRequest as bad:
            if len(batch) == 1:
                bad.error.where = f"{bad.error.where}, row {batch[0]}"
                raise bad.error from None
        half = len(batch) // 2
        return [
            *await self._batch(session, rows, batch[:half]),
            *await self._batch(session, rows, batch[half:]),
        ]

    def _check(self, rewards: NDArray[np.float64]) -> None:
        bad = np.flatnonzero(~np.isfinite(rewards))
        if bad.size:
            raise ModelError(
                f"{bad.size} of {len(rewards)} rewards are not finite: row {bad[0]} first",
                where=self.source,
                fix="the weights or the precision of the server are unsound: try --dtype float32 there, and look at that text",
            )
        different = len(set(rewards.tolist()))
        if len(rewards) >= _SUSPICIOUS and different == 1 and rewards[0] in (0.0, 1.0):
            raise ModelError(
                f"every reward is {rewards[0]:g}: the server puts a softmax over the model's one output",
                where=self.source,
                fix=_RAW,
            )
        if different >= _SUSPICIOUS and rewards.min() >= 0 and rewards.max() <= 1 and not self._told:
            self._told = True
            warnings.warn(
                f"{self.source}: all rewards lie between 0 and 1, so the server seems to squash them; rewards far from 0 "
                f"then look alike, and offsets are in other units. Fix: {_RAW}",
                CharmWarning,
                stacklevel=3,
            )


_RAW = "have the server give raw scores (newer vLLM does when asked; older: --override-pooler-config '{\"activation\": false}')"


def load_remote_reward(
    spec: str,
    *,
    model: str | None = None,
    api_key_env: str | None = None,
    endpoint: str | None = None,
    layout: str | None = None,
    truncate: bool = False,
    concurrency: int = 16,
    timeout: float = 120.0,
    retries: int = 6,
    patience: Patience | None = None,
) -> RemoteReward:
    """Find out what a server serves, and make it a scalar reward.

    Args:
        spec: ``vllm:URL`` or ``tei:URL``; an endpoint's name at the end of the URL (``/classify``, ``/pooling``, ``/score``,
            ``/predict``) chooses it.
        model: the model's name at the server; None: the one it serves.
        api_key_env: the environment variable that holds the key; None: no key.
        endpoint: vLLM: ``classify`` (the default), ``pooling``, ``last-token`` (pooling, the last token's number) or ``score``.
        layout: what the server is given of a conversation. vLLM: ``chat`` (its messages, for the server's chat template; the
            default) or ``text``. TEI: ``pair`` (prompt and response as two texts; the default) or ``text`` (one text).
        truncate: have the server shorten texts that are too long, in its own way; else they are an error.
        concurrency: most requests at once.
        timeout: seconds for one try of a request.
        retries: further tries after one that failed for a reason that passes.
        patience: all of the waiting, in place of ``retries``.

    Raises:
        ConfigError: the spec or an option is not usable.
        RemoteError: the server does not answer.
        ModelError: what it serves is not a reward model.
    """
    kind, _, url = spec.partition(":")
    if kind not in ("vllm", "tei") or not url:
        raise ConfigError(
            f"{kind or spec!r} is no kind of reward server",
            fix="use vllm:URL or tei:URL, for example vllm:http://localhost:8000",
        )
    base, named = _split_endpoint(url.rstrip("/"))
    client = Client(
        base,
        api_key_env=api_key_env,
        concurrency=concurrency,
        timeout=timeout,
        patience=patience or Patience(retries=retries),
    )
    endpoint = endpoint or named
    if kind == "vllm":
        served: VllmModel | TeiModel = _in_session(
            client, lambda s: open_vllm(s, model=model, endpoint=endpoint, layout=layout, truncate=truncate)
        )
    else:
        served = _in_session(
            client, lambda s: open_tei(s, model=model, endpoint=endpoint, layout=layout, truncate=truncate)
        )
    return RemoteReward(f"{kind}:{served.name}@{client.base_url}", client, served)


def _split_endpoint(url: str) -> tuple[str, str | None]:
    """The server's root, and the endpoint where the URL ends in one; a ``/v1`` in between goes."""
    base, _, last = url.rpartition("/")
    named = last if last in ("classify", "pooling", "score", "predict") else None
    root = base if named else url
    return root.removesuffix("/v1"), named


def _in_session(client: Client, ask: Callable[[Session], Any]) -> Any:
    """Run a short exchange with the server to its end."""

    async def main(emit: Callable[[Any], None]) -> None:
        async with client.session() as session:
            emit(await ask(session))

    with closing(streamed(main)) as results:
        return next(results)
