"""Chat completions from a server that speaks every dialect, and tells its own lies."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pytest

pytest.importorskip("httpx", reason="needs the [api] extra")

from charm_rm.errors import CharmWarning, ConfigError, RemoteError, RemoteRefused
from charm_rm.judging.chat import Chat, Reply
from charm_rm.remote import OpenAIChat
from charm_rm.remote.patience import Patience
from remote.conftest import CANARY
from remote.fault_server import Answer, Asked, FaultServer

Serve = Callable[[Callable[[Asked], Answer]], FaultServer]


def candidates(**logprobs: float) -> list[dict[str, Any]]:
    return [{"token": t, "logprob": v, "bytes": list(t.encode())} for t, v in logprobs.items()]


def completion(text: str | None, *, asked: Asked | None = None, **choice: Any) -> dict[str, Any]:
    """What an OpenAI-like server answers; with log-probabilities where they were asked for."""
    message = {"role": "assistant", "content": text} | choice.pop("message", {})
    logprobs = None
    if asked is not None and asked.body.get("logprobs"):
        top = candidates(A=-0.2, B=-1.8, C=-5.0)[: asked.body["top_logprobs"]]
        logprobs = {"content": [{**top[0], "top_logprobs": top}]}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": logprobs} | choice],
        "usage": {
            "prompt_tokens": 11,
            "completion_tokens": 2,
            "prompt_tokens_details": {"cached_tokens": 8},
            "completion_tokens_details": {"reasoning_tokens": 1},
        },
        "system_fingerprint": "fp_1",
        "error": None,
    }


def last(asked: Asked) -> str:
    text: str = asked.body["messages"][-1]["content"]
    return text


def parrot(asked: Asked) -> Answer:
    return Answer(completion(f"you said {last(asked)}", asked=asked))


def talks(n: int) -> list[list[dict[str, str]]]:
    return [[{"role": "system", "content": "judge"}, {"role": "user", "content": f"q{i}"}] for i in range(n)]


def make(server: FaultServer, patience: Patience, **options: Any) -> OpenAIChat:
    options = {"api_key_env": None, "patience": patience} | options
    return OpenAIChat("m", base_url=server.url + "/v1", **options)


def ask(chat: OpenAIChat, n: int = 1, *, max_tokens: int = 5, top_logprobs: int = 0) -> dict[int, Reply]:
    found = list(chat.replies(talks(n), max_tokens=max_tokens, top_logprobs=top_logprobs))
    assert len(found) == len(dict(found)), "a conversation was answered twice"
    return dict(found)


def refused(message: str, **fields: Any) -> Answer:
    return Answer({"error": {"message": message, "type": "invalid_request_error", **fields}}, status=400)


# --- the plain way ------------------------------------------------------------------------------


def test_what_is_sent_and_what_comes_back(serve: Serve, patience: Patience, key: str) -> None:
    server = serve(parrot)
    chat: Chat = make(server, patience, api_key_env="CHARM_TEST_KEY", extra_body={"seed": 7})
    (index, reply), *rest = chat.replies(talks(1), max_tokens=5, top_logprobs=3)
    assert rest == []
    assert (index, reply.text, reply.finish) == (0, "you said q0", "stop")
    assert reply.top_logprobs == {"A": -0.2, "B": -1.8, "C": -5.0}
    assert (reply.prompt_tokens, reply.completion_tokens) == (11, 2)
    asked = server.asked[0]
    assert (asked.method, asked.path) == ("POST", "/v1/chat/completions")
    assert asked.headers["authorization"] == f"Bearer {key}"
    assert asked.body == {
        "model": "m",
        "messages": talks(1)[0],
        "max_tokens": 5,
        "temperature": 0,
        "logprobs": True,
        "top_logprobs": 3,
        "seed": 7,
    }


def test_no_log_probabilities_are_asked_for_where_none_are_wanted(serve: Serve, patience: Patience) -> None:
    server = serve(parrot)
    chat = make(server, patience)
    assert ask(chat)[0].top_logprobs is None
    assert server.asked[0].body.keys() == {"model", "messages", "max_tokens", "temperature"}
    assert chat.gives_logprobs is None


def test_every_conversation_gets_its_own_answer(serve: Serve, patience: Patience) -> None:
    server = serve(parrot)
    chat = make(server, patience, concurrency=6)
    replies = ask(chat, n=60)
    assert {i: r.text for i, r in replies.items()} == {i: f"you said q{i}" for i in range(60)}
    assert server.most_at_once <= 6
    assert chat.usage.replies == 60
    assert (chat.usage.prompt_tokens, chat.usage.completion_tokens) == (660, 120)
    assert (chat.usage.cached_tokens, chat.usage.reasoning_tokens) == (480, 60)
    assert (chat.usage.requests, chat.usage.retries, chat.usage.failed) == (60, 0, 0)
    assert chat.system_fingerprints == ("fp_1",)


def test_no_conversations_no_requests(serve: Serve, patience: Patience) -> None:
    server = serve(parrot)
    assert ask(make(server, patience), n=0) == {}
    assert server.asked == []


def test_answers_come_as_they_are_ready(serve: Serve, patience: Patience) -> None:
    release = threading.Event()

    def script(asked: Asked) -> Answer:
        if last(asked) == "q0":
            release.wait(5)
        return parrot(asked)

    replies = make(serve(script), patience, concurrency=2).replies(talks(4), max_tokens=1, top_logprobs=0)
    early = [next(replies)[0] for _ in range(3)]
    release.set()
    assert sorted(early) == [1, 2, 3]
    assert [index for index, _ in replies] == [0]


def test_faults_lose_and_double_nothing(serve: Serve, patience: Patience) -> None:
    broken: Mapping[int, Answer] = {
        1: Answer({"choices": []}),
        2: Answer({"choices": [{"message": {"role": "assistant"}}]}),
        3: Answer({"choices": [{"message": "hello"}]}),
        4: Answer(
            completion("x", logprobs={"content": [{"top_logprobs": [{"token": "A", "logprob": "x"}]}]})
        ),
        5: Answer(completion("x"), fault="cut"),
        6: Answer({}, status=503),
        7: Answer({"error": {"message": "upstream", "code": 502}}),
    }
    server = serve(lambda asked: broken.get(asked.number) or parrot(asked))
    replies = ask(make(server, patience, concurrency=3), n=20)
    assert {i: r.text for i, r in replies.items()} == {i: f"you said q{i}" for i in range(20)}
    assert len(server.asked) == 27


# --- dialects -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        "This model does not support logprobs.",
        "Invalid parameter: 'logprobs' is not supported with this model",
        "extra fields not permitted: top_logprobs",
    ],
)
def test_refused_log_probabilities_are_given_up_once(serve: Serve, patience: Patience, message: str) -> None:
    server = serve(lambda asked: refused(message) if "logprobs" in asked.body else parrot(asked))
    chat = make(server, patience, concurrency=1)
    replies = ask(chat, n=10, top_logprobs=5)
    assert all(r.top_logprobs is None and r.text for r in replies.values())
    assert chat.gives_logprobs is False
    assert len(server.asked) == 11
    ask(chat, n=5, top_logprobs=5)
    assert len(server.asked) == 16, "what was learnt is remembered for the next call"


def test_fewer_candidates_before_none(serve: Serve, patience: Patience) -> None:
    def script(asked: Asked) -> Answer:
        most = 5
        if asked.body.get("top_logprobs", 0) > most:
            return refused(f"top_logprobs must be at most {most}")
        return parrot(asked)

    server = serve(script)
    chat = make(server, patience, concurrency=1)
    assert all(r.top_logprobs for r in ask(chat, n=3, top_logprobs=20).values())
    assert [a.body["top_logprobs"] for a in server.asked] == [20, 5, 5, 5]


def test_log_probabilities_left_out_without_a_word(serve: Serve, patience: Patience) -> None:
    server = serve(lambda asked: Answer(completion("A")))
    chat = make(server, patience, concurrency=1)
    assert all(r.top_logprobs is None for r in ask(chat, n=4, top_logprobs=5).values())
    assert ["logprobs" in a.body for a in server.asked] == [True, False, False, False]
    assert chat.gives_logprobs is False


def test_one_answer_without_them_among_others_changes_nothing(serve: Serve, patience: Patience) -> None:
    server = serve(lambda asked: Answer(completion("A")) if last(asked) == "q1" else parrot(asked))
    chat = make(server, patience, concurrency=1)
    assert [bool(r.top_logprobs) for _, r in sorted(ask(chat, n=4, top_logprobs=5).items())] == [
        *(True, False),
        *(True, True),
    ]


def test_a_model_that_wants_max_completion_tokens_and_no_temperature(
    serve: Serve, patience: Patience
) -> None:
    def script(asked: Asked) -> Answer:
        if "max_tokens" in asked.body:
            return refused(
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
            )
        if "temperature" in asked.body:
            return refused(
                "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported."
            )
        return parrot(asked)

    server = serve(script)
    chat = make(server, patience, concurrency=3)
    with pytest.warns(CharmWarning, match="refuses temperature 0"):
        replies = ask(chat, n=12)
    assert {i: r.text for i, r in replies.items()} == {i: f"you said q{i}" for i in range(12)}
    assert len(server.asked) <= 12 + 2 * 3
    assert server.asked[-1].body["max_completion_tokens"] == 5
    before = len(server.asked)
    ask(chat, n=3)
    assert len(server.asked) == before + 3


def test_a_refusal_that_goes_on_is_an_error(serve: Serve, patience: Patience) -> None:
    server = serve(
        lambda _: refused("logprobs, temperature, max_completion_tokens: all unsupported, all wrong")
    )
    with pytest.raises(RemoteRefused, match="all wrong"):
        ask(make(server, patience), top_logprobs=20)
    assert len(server.asked) <= 8


def test_a_limit_that_is_merely_too_large_changes_no_dialect(serve: Serve, patience: Patience) -> None:
    message = "'max_tokens' or 'max_completion_tokens' is too large: 9000. The maximum context length is 4096 tokens."
    server = serve(lambda _: refused(message))
    with pytest.raises(RemoteRefused, match="too large"):
        ask(make(server, patience))
    assert len(server.asked) == 1


# --- what answers hold --------------------------------------------------------------------------


def one(serve: Serve, patience: Patience, answer: dict[str, Any], *, top_logprobs: int = 5) -> Reply:
    return ask(make(serve(lambda _: Answer(answer)), patience), top_logprobs=top_logprobs)[0]


def test_a_refusal(serve: Serve, patience: Patience) -> None:
    reply = one(serve, patience, completion(None, message={"refusal": "I cannot judge this."}))
    assert (reply.text, reply.finish) == ("I cannot judge this.", "refusal")


def test_a_content_filter(serve: Serve, patience: Patience) -> None:
    reply = one(serve, patience, completion(None, finish_reason="content_filter"))
    assert (reply.text, reply.finish) == ("", "content_filter")


def test_an_answer_cut_off(serve: Serve, patience: Patience) -> None:
    assert one(serve, patience, completion("I think", finish_reason="length")).finish == "length"


@pytest.mark.parametrize(
    "message",
    [
        {"content": "A", "reasoning_content": "hmm, B?"},
        {"content": "A", "reasoning": "hmm, B?"},
        {"content": "<think>B? no</think>\n\nA"},
        {"content": [{"type": "thinking", "thinking": []}, {"type": "text", "text": "A"}]},
    ],
)
def test_thoughts_are_ignored_with_the_first_token_that_was_theirs(
    serve: Serve, patience: Patience, message: dict[str, Any]
) -> None:
    top = candidates(hmm=-0.1)
    answer = completion("", message=message, logprobs={"content": [{**top[0], "top_logprobs": top}]})
    reply = one(serve, patience, answer)
    assert reply.text == "A"
    assert reply.top_logprobs is None


def test_thoughts_without_end_are_no_answer(serve: Serve, patience: Patience) -> None:
    reply = one(serve, patience, completion("<think>A or B", finish_reason="length"))
    assert (reply.text, reply.finish) == ("", "length")


def test_tokens_of_one_text_count_together(serve: Serve, patience: Patience) -> None:
    top = [
        {"token": "A", "logprob": math.log(0.25)},
        {"token": "A", "logprob": math.log(0.5)},
        {"token": "B", "logprob": -math.inf},
        {"token": "C", "logprob": 1e-7},
        {"token": "D", "logprob": -9999.0},
    ]
    reply = one(serve, patience, completion("A", logprobs={"content": [{**top[0], "top_logprobs": top}]}))
    assert reply.top_logprobs == {"A": pytest.approx(math.log(0.75)), "C": 0.0, "D": -9999.0}


def test_usage_that_is_missing_or_odd_is_unknown(serve: Serve, patience: Patience) -> None:
    for usage in (None, {}, [], {"prompt_tokens": -1, "completion_tokens": "2"}, {"prompt_tokens": True}):
        answer = completion("A") | {"usage": usage, "system_fingerprint": None}
        reply = one(serve, patience, answer)
        assert (reply.prompt_tokens, reply.completion_tokens) == (None, None)


# --- failing ------------------------------------------------------------------------------------


def failing(*numbers: int) -> Callable[[Asked], Answer]:
    bad = {f"q{n}" for n in numbers}
    return lambda asked: Answer({}, status=500) if last(asked) in bad else parrot(asked)


def test_one_that_fails_ends_the_run_and_says_how_many_were_done(serve: Serve, patience: Patience) -> None:
    chat = make(serve(failing(7)), patience, concurrency=1)
    done: list[int] = []
    with pytest.raises(RemoteError, match=r"7 of 10 conversations were answered before") as caught:
        done.extend(i for i, _ in chat.replies(talks(10), max_tokens=1, top_logprobs=0))
    assert "conversation 7" in str(caught.value)
    chat2 = make(serve(failing(7)), patience, concurrency=1)
    replies = chat2.replies(talks(10), max_tokens=1, top_logprobs=0)
    assert [next(replies)[0] for _ in range(7)] == list(range(7))


def test_one_that_fails_may_be_skipped(serve: Serve, patience: Patience) -> None:
    chat = make(serve(failing(2, 5)), patience, on_error="skip")
    with pytest.warns(CharmWarning, match="2 conversations have no answer.*500"):
        replies = ask(chat, n=10)
    assert sorted(replies) == list(range(10))
    assert [i for i, r in sorted(replies.items()) if r.finish == "error"] == [2, 5]
    assert replies[2].text == ""
    assert (chat.usage.failed, chat.usage.replies) == (2, 8)


def test_one_that_is_too_long_may_be_skipped(serve: Serve, patience: Patience) -> None:
    long = refused("This model's maximum context length is 4096 tokens", code="context_length_exceeded")
    server = serve(lambda asked: long if last(asked) == "q1" else parrot(asked))
    with pytest.warns(CharmWarning, match="1 conversation has no answer"):
        assert ask(make(server, patience, on_error="skip"), n=3)[1].finish == "error"
    with pytest.raises(RemoteRefused, match=r"maximum context length(?s:.)*"):
        ask(make(server, patience), n=3)


def test_a_server_that_answers_nobody_is_not_skipped_for_ever(serve: Serve, patience: Patience) -> None:
    server = serve(lambda _: refused("no"))
    with pytest.raises(RemoteRefused):
        ask(make(server, patience, on_error="skip"), n=500)
    assert len(server.asked) < 60


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_concerns_all_is_never_skipped(serve: Serve, patience: Patience, status: int) -> None:
    server = serve(lambda _: Answer({}, status=status))
    with pytest.raises(RemoteRefused, match="0 of 50"):
        ask(make(server, patience, on_error="skip", concurrency=2), n=50)
    assert len(server.asked) <= 2


def test_conversations_are_made_when_they_are_asked_and_their_errors_arrive(
    serve: Serve, patience: Patience
) -> None:
    class Lazy(list[Any]):
        made: ClassVar[list[int]] = []

        def __getitem__(self, index: Any) -> Any:
            self.made.append(index)
            if index == 5:
                raise ConfigError("cannot be shortened")
            return super().__getitem__(index)

    replies = make(serve(parrot), patience, concurrency=1).replies(
        Lazy(talks(50)), max_tokens=1, top_logprobs=0
    )
    assert [next(replies)[0] for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ConfigError, match="cannot be shortened"):
        next(replies)
    assert Lazy.made == [0, 1, 2, 3, 4, 5]


def test_closing_early_stops_asking(serve: Serve, patience: Patience) -> None:
    server = serve(lambda asked: Answer(completion("A"), delay=0.02))
    replies = make(server, patience, concurrency=2).replies(talks(200), max_tokens=1, top_logprobs=0)
    next(replies)
    replies.close()  # type: ignore[attr-defined]
    assert len(server.asked) <= 6


# --- who it is ----------------------------------------------------------------------------------


def test_the_fingerprint_tells_what_decides_an_answer_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def print_of(model: str = "m", url: str = "http://localhost:1/v1", **options: Any) -> str:
        return OpenAIChat(model, base_url=url, **options).fingerprint

    plain = print_of()
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    assert print_of() == plain
    assert print_of(url="http://localhost:1/v1/") == plain
    assert print_of(concurrency=2, timeout=3.0, retries=0, api_key_env=None) == plain
    others = [print_of("n"), print_of(url="http://localhost:2/v1"), print_of(extra_body={"seed": 1})]
    assert len({plain, *others}) == 4
    chat = OpenAIChat("m", base_url="http://localhost:1/v1")
    assert CANARY not in repr(chat) + chat.source + chat.fingerprint + str(vars(chat))


@pytest.mark.parametrize(
    "options",
    [
        {"extra_body": {"stream": True}},
        {"extra_body": {"messages": []}},
        {"extra_body": {"n": 2}},
        {"on_error": "ignore"},
        {"concurrency": 0},
        {"base_url": "example.org"},
    ],
)
def test_options_that_are_not_usable(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        OpenAIChat("m", **{"base_url": "http://localhost:1"} | options)


@pytest.mark.parametrize(("max_tokens", "top"), [(0, 0), (1, -1)])
def test_limits_that_are_not_usable(max_tokens: int, top: int) -> None:
    chat = OpenAIChat("m", base_url="http://localhost:1")
    with pytest.raises(ConfigError):
        next(chat.replies(talks(1), max_tokens=max_tokens, top_logprobs=top))


def test_a_refusal_that_comes_first_teaches_nothing_of_log_probabilities(
    serve: Serve, patience: Patience
) -> None:
    def script(asked: Asked) -> Answer:
        if asked.number == 0:
            return Answer(completion("I must not.", finish_reason="content_filter"))
        return parrot(asked)

    chat = make(serve(script), patience, concurrency=1)
    replies = ask(chat, n=4, top_logprobs=5)
    assert [r.top_logprobs is None for _, r in sorted(replies.items())] == [True, False, False, False]
    assert chat.gives_logprobs is True
