"""A policy behind an OpenAI-compatible address: ``openai:MODEL@URL`` -> a :class:`~charm_rm.protocols.AnsweringPolicy`."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from ..errors import CharmWarning, RemoteError, did_you_mean, listing
from ..memo import content_key
from ..protocols import Answer, Prompt, Sampling
from ..tables import as_messages
from .client import Client
from .openai_chat import OnError, OpenAIChat
from .patience import Patience
from .running import streamed
from .vllm import listed_models

# A look at the list of models holds nothing up.
_LOOK_SECONDS = 10.0


class OpenAIPolicy:
    """A model at a server that answers prompts, many at once; answers come one by one, and each is paid for.

    Arguments as :class:`~.openai_chat.OpenAIChat`.
    """

    streams = True

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        api_key_env: str | None = "OPENAI_API_KEY",
        concurrency: int = 8,
        timeout: float = 60.0,
        on_error: OnError = "fail",
        patience: Patience | None = None,
    ) -> None:
        self._chat = OpenAIChat(
            model,
            base_url=base_url,
            api_key_env=api_key_env,
            concurrency=concurrency,
            timeout=timeout,
            on_error=on_error,
            patience=patience,
        )
        self._looked = False

    @property
    def source(self) -> str:
        """``openai:MODEL@URL``."""
        return self._chat.source

    @property
    def fingerprint(self) -> str:
        """Hash of the model's name and the address: a server tells no more."""
        return content_key("openai policy", 1, self._chat.fingerprint)

    @property
    def about(self) -> Mapping[str, Any]:
        """What the manifest says of it."""
        return {"model": self._chat.model, "url": self._chat.client.base_url}

    def answers(
        self, prompts: Sequence[Prompt], sampling: Sampling, seeds: Sequence[int]
    ) -> Iterator[tuple[int, Answer]]:
        """Yield (index, answer) as the answers come; closing the iterator ends all that is under way.

        Raises:
            RemoteError: a prompt has no answer for all that was tried; says how many were answered before.
            RemoteRefused: the key, the model, the address or the sampling is not accepted, or a prompt cannot be answered.
        """
        self._look()
        replies = self._chat.replies(
            [as_messages(prompt) for prompt in prompts],
            max_tokens=sampling.max_tokens,
            top_logprobs=0,
            drawn=[_drawn(sampling, seed) for seed in seeds],
        )
        with closing(replies):  # type: ignore[type-var]  # a generator
            for index, reply in replies:
                yield (
                    index,
                    Answer(
                        reply.text, reply.finish, reply.prompt_tokens, reply.completion_tokens, reply.model
                    ),
                )

    def _look(self) -> None:
        """Warn where the server lists its models and ours is none of them: some answer to any name with what they have."""
        if self._looked:
            return
        self._looked = True
        names: list[str] = []
        with contextlib.suppress(
            RemoteError
        ):  # no list: not every server has one, and whether it runs will show
            names = _listed(self._chat.client)
        model = self._chat.model
        if names and model not in names:
            warnings.warn(
                f"{self.source}: the server lists no model {model!r}; it lists {listing(names)}.{did_you_mean(model, names)} "
                "Look at which one answers",
                CharmWarning,
                stacklevel=4,
            )


def _drawn(sampling: Sampling, seed: int) -> dict[str, Any]:
    """The sampling in the request's words; nothing is said that is a default everywhere."""
    fields: dict[str, Any] = {"temperature": sampling.temperature}
    if sampling.temperature:
        fields |= {"seed": seed} | ({"top_p": sampling.top_p} if sampling.top_p < 1 else {})
    return fields | ({"stop": list(sampling.stop)} if sampling.stop else {})


def _listed(client: Client) -> list[str]:
    """The names of the models that a server lists, asked once and not for long."""
    brief = Client(
        client.base_url,
        api_key_env=client.key_variable,
        concurrency=1,
        timeout=min(_LOOK_SECONDS, client.timeout),
        patience=Patience(retries=0, clock=client.patience.clock),
    )

    async def main(emit: Callable[[list[str]], None]) -> None:
        async with brief.session() as session:
            cards = await session.get("/models", lambda answer: listed_models(answer, session.secret))
            emit([card["id"] for card in cards])

    with closing(streamed(main)) as results:
        return next(results)
