"""Policies behind a server: what is sent, what comes back, and every way in which it may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

pytest.importorskip("httpx", reason="needs the [api] extra")

from charm_rm.errors import CharmWarning, ModelError, RemoteError, RemoteRefused
from charm_rm.generation import Generated, generate_responses
from charm_rm.memo import Memo
from charm_rm.protocols import AnsweringPolicy
from charm_rm.remote import OpenAIPolicy
from charm_rm.remote.patience import Patience
from generation_fakes import many_prompts, plan_of, prompts_of
from remote.conftest import CANARY
from remote.fault_server import Answer, Asked, FaultServer, closed_port

Serve = Callable[[Callable[[Asked], Answer]], FaultServer]
MODELS = {"object": "list", "data": [{"id": "m"}, {"id": "other"}]}
SIX = many_prompts(6)


def completion(asked: Asked, **choice: Any) -> dict[str, Any]:
    body = asked.body
    text = f"{body['messages'][-1]['content']} at {body.get('temperature')} seed {body.get('seed')}"
    message = {"role": "assistant", "content": text}
    return {
        "model": "m-2024",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"} | choice],
        "usage": {"prompt_tokens": 7, "completion_tokens": 4},
    }


def honest(asked: Asked) -> Answer:
    return Answer(MODELS) if asked.path == "/v1/models" else Answer(completion(asked))


def served(answer: Callable[[Asked], Answer]) -> Callable[[Asked], Answer]:
    """A server that lists its models, and answers so."""
    return lambda asked: Answer(MODELS) if asked.path == "/v1/models" else answer(asked)


def policy(server: FaultServer, patience: Patience, model: str = "m", **options: Any) -> OpenAIPolicy:
    return OpenAIPolicy(
        model, base_url=f"{server.url}/v1", **{"api_key_env": None, "patience": patience} | options
    )


def generate(
    policy: OpenAIPolicy, prompts: pl.DataFrame = SIX, memo: Memo | None = None, **more: Any
) -> Generated:
    run = {key: more.pop(key) for key in ("too_long",) if key in more}
    return generate_responses(plan_of(policy, **more), prompts, memo=memo, progress=False, **run)


def chats(server: FaultServer) -> list[Asked]:
    return [asked for asked in server.asked if asked.path == "/v1/chat/completions"]


# --- the plain way ------------------------------------------------------------------------------


@pytest.mark.usefixtures("key")
def test_what_is_sent_and_what_comes_back(serve: Serve, patience: Patience) -> None:
    server = serve(honest)
    one = policy(server, patience, api_key_env="CHARM_TEST_KEY")
    assert isinstance(one, AnsweringPolicy)
    done = generate(
        one, prompts_of("A?"), system="Be brief.", temperature=0.7, top_p=0.9, max_tokens=50, stop=("END",)
    )
    (asked,) = chats(server)
    seed = asked.body["seed"]
    assert asked.body == {
        "model": "m", "max_tokens": 50, "temperature": 0.7, "top_p": 0.9, "stop": ["END"], "seed": seed,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "A?"}],
    }  # fmt: skip
    assert asked.headers["authorization"] == f"Bearer {CANARY}"
    assert done.frame["response"].to_list() == [f"A? at 0.7 seed {seed}"]
    assert (done.usage.tokens_in, done.usage.tokens_out, done.models) == (7, 4, {"m-2024": 1})
    assert CANARY not in str(one.about) + one.fingerprint + one.source


def test_at_temperature_0_nothing_is_said_of_drawing(serve: Serve, patience: Patience) -> None:
    server = serve(honest)
    generate(policy(server, patience), prompts_of("A?"))
    assert set(chats(server)[0].body) == {"model", "max_tokens", "temperature", "messages"}


def test_conversations_go_as_they_are(serve: Serve, patience: Patience) -> None:
    server = serve(honest)
    talk = [
        {"role": "user", "content": "A"},
        {"role": "assistant", "content": "B"},
        {"role": "user", "content": "C"},
    ]
    generate(policy(server, patience), prompts_of(talk))
    assert chats(server)[0].body["messages"] == talk


def test_every_sample_has_its_own_seed_and_no_more_run_at_once_than_may(
    serve: Serve, patience: Patience
) -> None:
    server = serve(
        lambda asked: Answer(MODELS) if asked.path == "/v1/models" else Answer(completion(asked), delay=0.01)
    )
    done = generate(policy(server, patience, concurrency=3), temperature=1.0, samples=3)
    assert len({asked.body["seed"] for asked in chats(server)}) == 18
    assert done.frame["response"].n_unique() == 18
    assert server.most_at_once <= 3


# --- what a server may do -----------------------------------------------------------------------


def test_nobody_listens(patience: Patience) -> None:
    one = OpenAIPolicy(
        "m", base_url=f"http://127.0.0.1:{closed_port()}/v1", api_key_env=None, patience=patience
    )
    with pytest.raises(RemoteError, match=r"policy 'oak': http://.*no connection") as caught:
        generate(one)
    assert caught.value.exit_code == 1


def test_a_server_that_is_too_slow(serve: Serve, patience: Patience) -> None:
    server = serve(served(lambda asked: Answer(completion(asked), delay=1.0)))
    with pytest.raises(RemoteError, match=r"no answer within 0\.05 s"):
        generate(policy(server, Patience(retries=1, clock=patience.clock), timeout=0.05), prompts_of("A?"))


@pytest.mark.parametrize("fault", ["drop", "drop-after-headers", "cut", "not-http"])
def test_an_answer_that_breaks_off_is_asked_for_again(serve: Serve, patience: Patience, fault: Any) -> None:
    spoilt = iter([True])
    server = serve(
        served(lambda asked: Answer(completion(asked), fault=fault if next(spoilt, False) else None))
    )
    done = generate(policy(server, patience, concurrency=1))
    assert done.frame.height == 6
    assert len(chats(server)) == 7
    always = serve(served(lambda asked: Answer(completion(asked), fault=fault)))
    with pytest.raises(RemoteError, match="no usable answer after 7 tries"):
        generate(policy(always, patience), prompts_of("A?"))


def test_too_many_requests_are_waited_out(serve: Serve, patience: Patience) -> None:
    crowded = iter([True, True])
    server = serve(
        served(
            lambda asked: (
                Answer(status=429, headers={"retry-after": "2"})
                if next(crowded, False)
                else Answer(completion(asked))
            )
        )
    )
    assert generate(policy(server, patience, concurrency=1)).frame.height == 6
    assert len(chats(server)) == 8


@pytest.mark.usefixtures("key")
def test_a_key_that_is_not_accepted(serve: Serve, patience: Patience) -> None:
    server = serve(lambda _: Answer({"error": {"message": f"bad key {CANARY}"}}, status=401))
    with pytest.raises(RemoteRefused, match="CHARM_TEST_KEY is not accepted") as caught:
        generate(policy(server, patience, api_key_env="CHARM_TEST_KEY"))
    assert CANARY not in str(caught.value)
    assert caught.value.exit_code == 2
    assert len(chats(server)) <= 8


def test_a_wrong_name_of_a_model(serve: Serve, patience: Patience) -> None:
    server = serve(served(lambda _: Answer({"error": {"message": "model not found"}}, status=404)))
    with (
        pytest.warns(CharmWarning, match="lists no model 'n'"),
        pytest.raises(RemoteRefused, match="no such path or model"),
    ):
        generate(policy(server, patience, "n"))
    # Some answer to any name with the model that they have.
    obliging = serve(honest)
    with pytest.warns(
        CharmWarning, match=r"lists no model 'othr'; it lists 'm', 'other'\. Did you mean 'other'\?"
    ):
        done = generate(policy(obliging, patience, "othr"))
    assert done.models == {"m-2024": 6}


@pytest.mark.parametrize(
    "answer", [Answer(status=404), Answer({"data": []}), Answer(b"<html>"), Answer(status=500)]
)
def test_a_server_without_a_list_of_models_is_no_worse(
    serve: Serve, patience: Patience, answer: Answer
) -> None:
    server = serve(lambda asked: answer if asked.path == "/v1/models" else Answer(completion(asked)))
    assert generate(policy(server, patience)).frame.height == 6
    assert len(server.asked) == 7


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
        "the request exceeds the available context size, try increasing it",
        "prompt is too long: 210000 tokens > 200000 maximum",
    ],
)
def test_a_prompt_over_the_context_length(serve: Serve, patience: Patience, message: str) -> None:
    def answer(asked: Asked) -> Answer:
        if "x" in asked.body["messages"][-1]["content"]:
            return Answer({"error": {"message": message, "code": "context_length_exceeded"}}, status=400)
        return Answer(completion(asked))

    prompts = prompts_of("A?", "xxx", "B?")
    with pytest.raises(ModelError, match="1 prompt of 3 .*'p1'"):
        generate(policy(serve(served(answer)), patience), prompts)
    with pytest.warns(CharmWarning, match="1 prompt left out: too long"):
        done = generate(policy(serve(served(answer)), patience), prompts, too_long="skip")
    assert done.frame["prompt_id"].to_list() == ["p0", "p2"]


def test_a_seed_that_is_refused_is_left_out_and_told_a_temperature_is_an_error(
    serve: Serve, patience: Patience
) -> None:
    def refuses(name: str) -> Callable[[Asked], Answer]:
        def answer(asked: Asked) -> Answer:
            if name in asked.body:
                return Answer({"error": {"message": f"Unsupported parameter: '{name}'"}}, status=400)
            return Answer(completion(asked))

        return served(answer)

    server = serve(refuses("seed"))
    with pytest.warns(CharmWarning, match="refuses a seed"):
        done = generate(policy(server, patience, concurrency=1), temperature=1.0)
    assert done.frame.height == 6
    assert len(chats(server)) == 7
    with pytest.raises(RemoteRefused, match="temperature"):
        generate(policy(serve(refuses("temperature")), patience), temperature=0.3)


def test_a_policy_that_returns_nothing(serve: Serve, patience: Patience) -> None:
    server = serve(
        served(lambda asked: Answer(completion(asked, message={"role": "assistant", "content": ""})))
    )
    with pytest.raises(ModelError, match="all 6 answers are empty"):
        generate(policy(server, patience))


def test_why_answers_ended_is_kept(serve: Serve, patience: Patience) -> None:
    ends = {
        "A?": {"finish_reason": "length"},
        "B?": {"message": {"content": None, "refusal": "I will not."}},
        "C?": {},
    }
    server = serve(
        served(lambda asked: Answer(completion(asked, **ends[asked.body["messages"][-1]["content"]])))
    )
    with pytest.warns(CharmWarning, match="cut off"):
        frame = generate(policy(server, patience), prompts_of("A?", "B?", "C?")).frame
    assert frame["finish_reason"].to_list() == ["length", "refusal", "stop"]
    assert frame["refusal"].to_list() == [False, True, False]
    assert frame["response"][1] == "I will not."


def test_what_came_before_a_failure_is_not_asked_for_again(serve: Serve, patience: Patience) -> None:
    down = {"after": 3}

    def answer(asked: Asked) -> Answer:
        down["after"] -= 1
        return Answer(completion(asked)) if down["after"] >= 0 else Answer(status=400)

    server = serve(served(answer))
    with Memo.open(None) as memo:
        with pytest.raises(RemoteRefused, match=r"3 of 6 conversations were answered before"):
            generate(policy(server, patience, concurrency=1), memo=memo)
        down["after"] = 100
        done = generate(policy(server, patience, concurrency=1), memo=memo)
    assert (done.known, done.asked) == (3, 3)
    texts = [asked.body["messages"][-1]["content"] for asked in chats(server)]
    assert len(texts) == 7
    assert len(set(texts)) == 6


def test_single_calls_may_be_left_out(serve: Serve, patience: Patience) -> None:
    def answer(asked: Asked) -> Answer:
        return (
            Answer(status=400)
            if asked.body["messages"][-1]["content"] == SIX["prompt"][2]
            else Answer(completion(asked))
        )

    with pytest.warns(CharmWarning, match="left out|has no answer"):
        done = generate(policy(serve(served(answer)), patience, on_error="skip"))
    assert (done.failed, done.frame.height) == (1, 5)
