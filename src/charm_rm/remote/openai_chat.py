"""A chat model behind an OpenAI-compatible address: OpenAI, vLLM, llama.cpp, Ollama, SGLang, TGI and many more."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..errors import CharmWarning, ConfigError, RemoteError, counted, verb
from ..judging.chat import Messages, Reply
from ..memo import content_key
from .answers import Answered, read_answer
from .client import Client, Session
from .patience import Patience
from .problems import BadRequest
from .running import each, streamed

OnError = Literal["fail", "skip"]

PATH = "/chat/completions"
# What an answer is read by; the rest of a request may be set with ``extra_body``.
_OURS = frozenset(
    {"messages", "model", "stream", "n", "logprobs", "top_logprobs", "max_tokens", "max_completion_tokens"}
)
_GREEDY = {"temperature": 0}
# What is left out where a server refuses it. Of a judge: models that think draw at a temperature of their own. Of a policy: no seed
# can be given; another temperature than the one asked for would be another policy.
_OF_A_JUDGE, _OF_A_POLICY = frozenset({"temperature"}), frozenset({"seed"})
_TOO_LONG = re.compile(
    r"context[_ ](length|size|window)|maximum context|context_size_error|prompt is too long|too many tokens|maximum (prompt|input) length"
    r"|longer than the maximum|input is too long"
)
_MOST_CANDIDATES = 20
_FEWER_CANDIDATES = 5
_UNWANTED = re.compile(r"instead|support|unknown|unrecogni|not permitted|not allowed|extra")
# So many failed conversations in a row, and it is the server rather than the conversations.
_GIVE_UP_AFTER = 20


@dataclass
class Usage:
    """What was asked and used so far, over all calls: tries of requests, answers, failures, tokens as the server tells them."""

    requests: int = 0
    retries: int = 0
    replies: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass
class _Dialect:
    """What this server and model want worded differently; learnt from their refusals, each lesson once."""

    droppable: frozenset[str]
    limit: str = "max_tokens"
    refused: tuple[str, ...] = ()
    most_candidates: int = _MOST_CANDIDATES
    gives_logprobs: bool | None = None

    def options(self, max_tokens: int, top_logprobs: int, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """The part of a request that depends on the dialect; ``drawn``: how the answer is drawn."""
        options: dict[str, Any] = {self.limit: max_tokens}
        options |= {name: value for name, value in drawn.items() if name not in self.refused}
        if top_logprobs and self.gives_logprobs is not False:
            options |= {"logprobs": True, "top_logprobs": min(top_logprobs, self.most_candidates)}
        return options

    def learn(self, message: str, sent: Mapping[str, Any]) -> bool:
        """Change after what the server said about the options ``sent``; False where that teaches nothing.

        Every lesson takes something away that was sent, so there are few, and none twice.
        """
        said = message.lower()
        if "max_tokens" in sent and "max_completion_tokens" in said and _UNWANTED.search(said):
            self.limit = "max_completion_tokens"
        elif "logprob" in said and sent.get("top_logprobs", 0) > _FEWER_CANDIDATES:
            self.most_candidates = _FEWER_CANDIDATES
        elif "logprob" in said and "logprobs" in sent:
            self.gives_logprobs = False
        elif unwanted := next((name for name in self.droppable if name in said and name in sent), None):
            self.refused = (*self.refused, unwanted)
        else:
            return False
        return True

    def note(self, reply: Reply) -> None:
        """Where the first answer comes without log-probabilities although asked for, they are asked for no more."""
        if reply.top_logprobs is not None:
            self.gives_logprobs = True
        elif reply.text and self.gives_logprobs is None and reply.finish in ("stop", "length"):
            self.gives_logprobs = False


class OpenAIChat:
    """A :class:`~charm_rm.judging.chat.Chat` at temperature 0 behind ``base_url + /chat/completions``.

    Args:
        model: its name at the server.
        base_url: the address up to and without ``/chat/completions``; mostly ends in ``/v1``.
        api_key_env: the environment variable that holds the key; unset or None: no key is sent.
        concurrency: most requests at once; fewer while the server says that it is too much.
        timeout: seconds for one try.
        retries: further tries after one that failed for a reason that passes.
        extra_body: further fields of the request, such as ``seed`` or ``chat_template_kwargs``.
        on_error: what a conversation without an answer does: ``fail`` ends the run with an error, ``skip`` yields an
            empty Reply with ``finish="error"``. Refused keys and unknown models end the run either way.
        patience: all of the waiting, in place of ``retries``.

    Raises:
        ConfigError: one of them is not usable.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        api_key_env: str | None = "OPENAI_API_KEY",
        concurrency: int = 8,
        timeout: float = 120.0,
        retries: int = 6,
        extra_body: Mapping[str, Any] | None = None,
        on_error: OnError = "fail",
        patience: Patience | None = None,
    ) -> None:
        if on_error not in ("fail", "skip"):
            raise ConfigError(f"on_error {on_error!r} is unknown", fix="use fail or skip")
        self._extra = _checked_extra(extra_body or {})
        self._client = Client(
            base_url,
            api_key_env=api_key_env,
            concurrency=concurrency,
            timeout=timeout,
            patience=patience or Patience(retries=retries),
        )
        self.model = model
        self._on_error = on_error
        self._dialects = {who: _Dialect(who) for who in (_OF_A_JUDGE, _OF_A_POLICY)}
        self._usage = Usage()
        self._systems: set[str] = set()
        self._told_of_chance = False

    @property
    def source(self) -> str:
        """``openai:MODEL@URL``."""
        return f"openai:{self.model}@{self._client.base_url}"

    @property
    def fingerprint(self) -> str:
        """Hash of model name, address and the request's other fields."""
        return content_key("openai-chat", 1, self.model, self._client.base_url, self._extra)

    @property
    def usage(self) -> Usage:
        """What was asked and used so far."""
        self._usage.requests, self._usage.retries = self._client.requests, self._client.retries
        return self._usage

    @property
    def gives_logprobs(self) -> bool | None:
        """Whether the endpoint tells log-probabilities; None until it was asked."""
        return self._dialects[_OF_A_JUDGE].gives_logprobs

    @property
    def system_fingerprints(self) -> tuple[str, ...]:
        """The server's own names for what answered (``system_fingerprint``), where it gave any; more than one: it changed."""
        return tuple(sorted(self._systems))

    @property
    def client(self) -> Client:
        """What is known of the server."""
        return self._client

    def replies(
        self,
        conversations: Sequence[Messages],
        *,
        max_tokens: int,
        top_logprobs: int,
        drawn: Sequence[Mapping[str, Any]] | None = None,
    ) -> Iterator[tuple[int, Reply]]:
        """Yield (index, answer) as the answers come; closing the iterator ends all that is under way.

        ``drawn``: how each answer is drawn, as further fields of its request (``temperature``, ``top_p``, ``stop``, ``seed``); None:
        at temperature 0. Where it is given, a conversation that the server finds too long yields an empty Reply with
        ``finish="too_long"``.

        Raises:
            RemoteError: a conversation has no answer for all that was tried; says how many were answered before.
            RemoteRefused: the key, the model or the address is not accepted, or a conversation cannot be answered.
        """
        if max_tokens < 1 or top_logprobs < 0:
            raise ConfigError(
                "max_tokens must be at least 1 and top_logprobs at least 0", fix="give such numbers"
            )
        run = _Run(self, max_tokens, top_logprobs, drawn)
        answered = 0
        results: Generator[tuple[int, Answered], None, None] = streamed(
            lambda emit: run.all(conversations, emit)
        )
        with closing(results):
            try:
                for index, answer in results:
                    self._count(answer)
                    answered += answer.reply.finish != "error"
                    yield index, answer.reply
            except RemoteError as error:
                error.what += f" ({answered} of {len(conversations)} conversations were answered before)"
                raise
        self._tell(run)

    def _count(self, answer: Answered) -> None:
        usage, reply = self._usage, answer.reply
        usage.replies += reply.finish != "error"
        usage.failed += reply.finish == "error"
        usage.prompt_tokens += reply.prompt_tokens or 0
        usage.completion_tokens += reply.completion_tokens or 0
        usage.cached_tokens += answer.cached_tokens
        usage.reasoning_tokens += answer.reasoning_tokens
        if answer.system_fingerprint:
            self._systems.add(answer.system_fingerprint)

    def _tell(self, run: _Run) -> None:
        if run.failed:
            warnings.warn(
                f"{self.source}: {counted(run.failed, 'conversation')} {verb(run.failed, 'has', 'have')} no answer; the last: {run.last_failure}",
                CharmWarning,
                stacklevel=3,
            )
        if run.dialect.refused and not self._told_of_chance:
            self._told_of_chance = True
            what = "temperature 0" if "temperature" in run.dialect.refused else "a seed"
            warnings.warn(
                f"{self.source}: this model refuses {what}, so its answers are drawn at random and may differ "
                "from run to run",
                CharmWarning,
                stacklevel=3,
            )


class _Run:
    """One call of :meth:`OpenAIChat.replies`."""

    def __init__(
        self,
        chat: OpenAIChat,
        max_tokens: int,
        top_logprobs: int,
        drawn: Sequence[Mapping[str, Any]] | None,
    ) -> None:
        self._chat, self._max_tokens, self._top_logprobs, self._drawn = chat, max_tokens, top_logprobs, drawn
        self.dialect = chat._dialects[_OF_A_JUDGE if drawn is None else _OF_A_POLICY]
        self.failed = 0
        self.last_failure = ""
        self._failed_in_a_row = 0

    async def all(
        self, conversations: Sequence[Messages], emit: Callable[[tuple[int, Answered]], None]
    ) -> None:
        """Answer every conversation."""
        client = self._chat._client
        async with client.session() as session:

            async def work(index: int) -> None:
                try:
                    answer = await self._one(session, index, conversations[index])
                    self._failed_in_a_row = 0
                except RemoteError as error:
                    error.where = f"{error.where}, conversation {index}"
                    answer = self._skipped(error)
                emit((index, answer))

            await each(range(len(conversations)), work, workers=client.concurrency)

    async def _one(self, session: Session, index: int, messages: Messages) -> Answered:
        """One answer; a refusal of how it was asked teaches the dialect, and it is asked again."""
        dialect, drawn = self.dialect, _GREEDY if self._drawn is None else self._drawn[index]
        while True:
            options = dialect.options(self._max_tokens, self._top_logprobs, drawn)
            body = {"model": self._chat.model, "messages": [dict(m) for m in messages], **options}
            try:
                answer = await session.post(PATH, body | self._chat._extra, read_answer)
            except BadRequest as bad:
                if self._drawn is not None and _TOO_LONG.search(bad.message.lower()):
                    return Answered(Reply(text="", finish="too_long"))
                if not dialect.learn(bad.message, options):
                    raise bad.error from None
                continue
            if "logprobs" in options:
                dialect.note(answer.reply)
            # Of an answer that cannot be read, the end is shown and kept.
            reply, hidden = answer.reply, session.secret.hidden
            model = None if reply.model is None else hidden(reply.model)
            return replace(answer, reply=replace(reply, text=hidden(reply.text), model=model))

    def _skipped(self, error: RemoteError) -> Answered:
        """In place of an answer, where failing is not asked for and it is not the server as a whole."""
        self.failed += 1
        self._failed_in_a_row += 1
        status = getattr(error, "status", None)
        of_its_own = status is None or status in (400, 413, 422)
        if self._chat._on_error == "fail" or not of_its_own or self._failed_in_a_row >= _GIVE_UP_AFTER:
            raise error
        self.last_failure = error.what
        return Answered(Reply(text="", finish="error"))


def _checked_extra(extra: Mapping[str, Any]) -> dict[str, Any]:
    taken = sorted(_OURS & set(extra))
    if taken:
        raise ConfigError(
            f"extra_body must not set {', '.join(taken)}: the reading of answers depends on it",
            fix="leave it out",
        )
    return dict(extra)
