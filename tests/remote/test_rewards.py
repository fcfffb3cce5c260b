"""Reward servers after vLLM's and TEI's schemas: the raw numbers, in order, or an error that names the row."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("httpx", reason="needs the [api] extra")

from charm_rm.errors import CharmWarning, ConfigError, ModelError, RemoteError, RemoteRefused
from charm_rm.protocols import ScalarReward
from charm_rm.remote import RemoteReward, load_remote_reward
from charm_rm.remote.patience import Patience
from charm_rm.remote.reading import whole_text
from remote.fake_rewards import Tei, Vllm, raw_reward
from remote.fault_server import Answer, Asked, FaultServer

Serve = Callable[[Callable[[Asked], Answer]], FaultServer]
TALK = [
    {"role": "system", "content": "be short"},
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "hello"},
    {"role": "user", "content": "and now?"},
]


def rows(n: int) -> tuple[list[str], list[str]]:
    return [f"what is {i} + {i}?" for i in range(n)], [f"it is {2 * i}" for i in range(n)]


def expected(n: int) -> list[float]:
    return [raw_reward(p, r) for p, r in zip(*rows(n), strict=True)]


def open_(kind: str, server: FaultServer, patience: Patience, path: str = "", **options: Any) -> RemoteReward:
    return load_remote_reward(f"{kind}:{server.url}{path}", patience=patience, **options)


def sent(server: FaultServer) -> list[Asked]:
    return [a for a in server.asked if a.method == "POST"]


# --- vLLM ---------------------------------------------------------------------------------------

WAYS: list[dict[str, Any]] = [
    {},
    {"endpoint": "classify", "layout": "text"},
    {"endpoint": "pooling"},
    {"endpoint": "pooling", "layout": "text"},
    {"endpoint": "score"},
]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_vllm_gives_raw_rewards_in_order(serve: Serve, patience: Patience, way: dict[str, Any]) -> None:
    server = serve(Vllm())
    reward = open_("vllm", server, patience, concurrency=4, **way)
    assert isinstance(reward, ScalarReward)
    scores = reward(*rows(40))
    assert scores.dtype == np.float64
    assert scores.tolist() == expected(40)
    assert all(a.body["use_activation"] is False for a in sent(server))
    one_by_one = way.get("layout", "pair" if way.get("endpoint") == "score" else "chat") == "chat"
    assert len(sent(server)) == (40 if one_by_one else 2)


def test_vllm_renders_the_conversation_itself(serve: Serve, patience: Patience) -> None:
    server = serve(Vllm())
    (score,) = open_("vllm", server, patience)([TALK], ["later"])
    assert score == raw_reward("be short|hi|hello|and now?", "later")
    assert sent(server)[0].body["messages"] == [*TALK, {"role": "assistant", "content": "later"}]


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/", "/classify", "/v1/classify"])
def test_vllm_is_found_from_any_of_its_addresses(serve: Serve, patience: Patience, path: str) -> None:
    reward = open_("vllm", serve(Vllm()), patience, path)
    assert reward(*rows(2)).tolist() == expected(2)
    assert reward.source.startswith("vllm:org/reward@http://127.0.0.1:")


def test_the_address_chooses_the_endpoint(serve: Serve, patience: Patience) -> None:
    server = serve(Vllm())
    assert open_("vllm", server, patience, "/score")(*rows(2)).tolist() == expected(2)
    assert sent(server)[0].path == "/score"


def test_the_last_token_of_a_token_reward_model(serve: Serve, patience: Patience) -> None:
    server = serve(Vllm(by_token=True))
    reward = open_("vllm", server, patience, endpoint="last-token")
    assert reward(*rows(3)).tolist() == expected(3)
    assert sent(server)[0].body["task"] == "token_classify"


def test_outputs_by_token_are_not_taken_for_one(serve: Serve, patience: Patience) -> None:
    talkative = Vllm(by_token=True)
    server = serve(lambda asked: talkative(dataclasses.replace(asked, body=_untasked(asked.body))))
    with pytest.raises(ModelError, match="outputs of 3 tokens"):
        open_("vllm", server, patience, endpoint="pooling")(*rows(1))


def _untasked(body: Any) -> Any:
    return body and {k: v for k, v in body.items() if k != "task"}


@pytest.mark.parametrize("endpoint", ["classify", "pooling"])
def test_a_classifier_is_no_reward_model(serve: Serve, patience: Patience, endpoint: str) -> None:
    reward = open_("vllm", serve(Vllm(labels=3)), patience, endpoint=endpoint)
    with pytest.raises(ModelError, match="3 numbers per text"):
        reward(*rows(1))


def test_a_server_that_squashes_is_seen_through(serve: Serve, patience: Patience) -> None:
    reward = open_("vllm", serve(Vllm(knows_activation=False)), patience)
    with pytest.warns(CharmWarning, match="between 0 and 1"):
        reward(*rows(12))
    reward(*rows(12))  # said once


def test_a_softmax_over_one_output_is_seen_through(serve: Serve, patience: Patience) -> None:
    server = serve(_probs([1.0]))
    with pytest.raises(ModelError, match="every reward is 1"):
        open_("vllm", server, patience)(*rows(12))


def _probs(values: list[Any]) -> Callable[[Asked], Answer]:
    honest = Vllm()

    def script(asked: Asked) -> Answer:
        if asked.method == "GET":
            return honest(asked)
        return Answer({"data": [{"index": 0, "probs": values, "num_classes": len(values)}]})

    return script


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), None])
def test_a_reward_that_is_not_finite_is_an_error(serve: Serve, patience: Patience, value: Any) -> None:
    with pytest.raises(ModelError, match="not finite: row 0"):
        open_("vllm", serve(_probs([value])), patience)(*rows(1))


@pytest.mark.parametrize("number", [10**400, -(10**400)])
def test_a_number_beyond_all_floats_is_not_finite(serve: Serve, patience: Patience, number: int) -> None:
    with pytest.raises(ModelError, match="not finite: row 0"):
        open_("vllm", serve(_probs([number])), patience)(*rows(1))


@pytest.mark.parametrize(
    "indices", [["0", "1"], [0.0, 1], [True, 0], [-1, 0], [1, 1], [0, 2], [0, None], [[0], 1], [{}, 1], [10**400, 0], []]
)  # fmt: skip
def test_results_without_their_numbers_are_in_no_order(serve: Serve, clock: Any, indices: list[Any]) -> None:
    items = [{"index": i, "score": 1.0} for i in indices] or [{"score": 1.0}, {"score": 2.0}]
    server = serve(lambda asked: Vllm()(asked) if asked.method == "GET" else Answer({"data": items}))
    with pytest.raises(RemoteError, match="index does not number them from 0 to 1"):
        open_("vllm", server, Patience(retries=1, clock=clock), endpoint="score")(*rows(2))


@pytest.mark.parametrize("name", ["", "n" * 501, "a\x1b[2J", "a\ud800", "a\u202e", 3, None])
def test_a_model_without_a_name_that_can_be_shown(serve: Serve, clock: Any, name: Any) -> None:
    patience = Patience(retries=1, clock=clock)
    with pytest.raises(RemoteError, match="lists no models"):
        open_("vllm", serve(lambda _: Answer({"data": [{"id": name}]})), patience)
    with pytest.raises(RemoteError, match="names no model"):
        open_("tei", serve(lambda _: Answer({"model_id": name})), patience)


@pytest.mark.parametrize(
    "answer",
    [
        {"data": []},
        {"data": [{"index": 0, "probs": [1.0]}, {"index": 1, "probs": [2.0]}]},
        {"data": [{"index": 1, "probs": [1.0]}]},
        {"data": [{"index": 0, "probs": ["1.0"]}]},
        {"data": [{"index": 0, "probs": [True]}]},
        {"data": [[1.0]]},
        {"data": None},
        {"results": []},
        [1.0],
        "1.0",
    ],
)
def test_an_answer_of_another_form_is_asked_again_then_an_error(
    serve: Serve, clock: Any, answer: Any
) -> None:
    server = serve(lambda asked: Vllm()(asked) if asked.method == "GET" else Answer(answer))
    with pytest.raises(RemoteError, match="after 3 tries"):
        open_("vllm", server, Patience(retries=2, clock=clock))(*rows(1))
    assert len(sent(server)) == 3


def test_results_are_put_in_order_by_their_index(serve: Serve, patience: Patience) -> None:
    def script(asked: Asked) -> Answer:
        answer = Vllm()(asked)
        if asked.method == "POST":
            answer.body["data"].reverse()
        return answer

    reward = open_("vllm", serve(script), patience, endpoint="score")
    assert reward(*rows(9)).tolist() == expected(9)


def test_a_text_that_is_too_long_is_named(serve: Serve, patience: Patience) -> None:
    reward = open_("vllm", serve(Vllm(max_model_len=20)), patience)
    prompts, responses = rows(6)
    responses[4] = "word " * 50
    with pytest.raises(RemoteRefused, match=r"row 4: .*maximum context length is 20(?s:.)*truncate=True"):
        reward(prompts, responses)


def test_a_text_that_is_too_long_may_be_cut_by_the_server(serve: Serve, patience: Patience) -> None:
    server = serve(Vllm(max_model_len=20))
    reward = open_("vllm", server, patience, truncate=True)
    assert np.isfinite(reward(["q"], ["word " * 50])).all()
    assert sent(server)[0].body["truncate_prompt_tokens"] == -1


def test_a_server_without_a_template_says_how_to_fix_it(serve: Serve, patience: Patience) -> None:
    with pytest.raises(RemoteRefused, match="--chat-template, or give layout='text' in Python"):
        open_("vllm", serve(Vllm(template=False)), patience)(*rows(1))


def test_an_endpoint_that_is_not_there(serve: Serve, patience: Patience) -> None:
    with pytest.raises(RemoteRefused, match=r"no /classify for this model(?s:.)*pooling"):
        open_("vllm", serve(Vllm(routes=("/pooling",))), patience)(*rows(1))


def test_models_are_chosen_by_name(serve: Serve, patience: Patience) -> None:
    server = serve(Vllm(adapters=("lora-a",)))
    assert open_("vllm", server, patience).model_name == "org/reward"
    assert open_("vllm", server, patience, model="lora-a").model_name == "lora-a"
    with pytest.raises(ConfigError, match="Did you mean 'lora-a'"):
        open_("vllm", server, patience, model="lora-b")


def test_several_models_have_to_be_told_apart(serve: Serve, patience: Patience) -> None:
    cards = [{"id": "a", "parent": None}, {"id": "b", "parent": None}]
    with pytest.raises(ConfigError, match="'a', 'b'"):
        open_("vllm", serve(lambda _: Answer({"data": cards})), patience)


def test_something_else_at_the_address(serve: Serve, patience: Patience) -> None:
    with pytest.raises(RemoteRefused, match="root of the vLLM server"):
        open_("vllm", serve(lambda _: Answer({"detail": "Not Found"}, status=404)), patience)
    with pytest.raises(RemoteError, match="lists no models"):
        open_("vllm", serve(lambda _: Answer({"models": []})), patience)


# --- TEI ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", [None, "pair", "text"])
@pytest.mark.parametrize("kind", ["classifier", "reranker"])
def test_tei_gives_raw_rewards_in_order(
    serve: Serve, patience: Patience, layout: str | None, kind: str
) -> None:
    server = serve(Tei(kind=kind, most_rows=4))
    reward = open_("tei", server, patience, layout=layout, concurrency=3)
    assert isinstance(reward, ScalarReward)
    assert reward(*rows(30)).tolist() == expected(30)
    assert [len(a.body["inputs"]) for a in sent(server)].count(4) == 7
    assert all(a.body["raw_scores"] is True and a.body["truncate"] is False for a in sent(server))
    assert server.most_at_once <= 3


def test_tei_gets_conversations_as_text(serve: Serve, patience: Patience) -> None:
    server = serve(Tei())
    open_("tei", server, patience)([TALK, "hi"], ["later", ""])
    assert sent(server)[0].body["inputs"] == [
        ["System: be short\n\nUser: hi\n\nAssistant: hello\n\nUser: and now?", "later"],
        ["hi", ""],
    ]


def test_the_layouts_are_those_of_local_scoring() -> None:
    """The tokenizer of a local model is given the very text that a server is sent."""
    encoding = pytest.importorskip("charm_rm.models.scoring.encoding")
    seen: list[str] = []

    class Words:
        eos_token_id = None

        def __call__(self, texts: list[str], **_options: Any) -> dict[str, Any]:
            seen.extend(texts)
            return {"input_ids": [[0] for _ in texts]}

    encoding.ResponseEncoder(Words(), 100, layout="plain").encode(TALK, "later")
    assert seen == [whole_text(TALK, "later")]


def test_a_body_that_is_too_large_is_sent_in_parts(serve: Serve, patience: Patience) -> None:
    server = serve(Tei(most_rows=32, most_bytes=3000))
    prompts, responses = rows(32)
    responses = [r + " x" * 100 for r in responses]
    scores = open_("tei", server, patience)(prompts, responses)
    assert scores.tolist() == [raw_reward(p, r) for p, r in zip(prompts, responses, strict=True)]


def test_tei_texts_that_are_too_long_are_named(serve: Serve, patience: Patience) -> None:
    server = serve(Tei(most_rows=8, most_words=60))
    prompts, responses = rows(12)
    responses[9] = "word " * 80
    with pytest.raises(RemoteRefused, match=r"row 9: .*must have less than 60 tokens"):
        open_("tei", server, patience)(prompts, responses)
    assert np.isfinite(open_("tei", server, patience, truncate=True)(prompts, responses)).all()


def test_tei_that_serves_no_reward_model(serve: Serve, patience: Patience) -> None:
    with pytest.raises(ModelError, match="embeddings"):
        open_("tei", serve(Tei(kind="embedding")), patience)
    with pytest.raises(ModelError, match="2 numbers"):
        open_("tei", serve(Tei(labels=2)), patience)
    with pytest.raises(ConfigError, match="'org/reward', not 'other'"):
        open_("tei", serve(Tei()), patience, model="other")
    assert open_("tei", serve(Tei()), patience, model="reward").model_name == "org/reward"


@pytest.mark.parametrize(
    "answer", [[], [[]], [[{"label": "x"}], [{"score": 1.0}]], [[{"score": "1"}]], [{"score": 1.0}], {}, None]
)
def test_tei_answers_of_another_form(serve: Serve, clock: Any, answer: Any) -> None:
    server = serve(lambda asked: Tei()(asked) if asked.method == "GET" else Answer(answer))
    with pytest.raises(RemoteError, match="after 2 tries"):
        open_("tei", server, Patience(retries=1, clock=clock))(*rows(1))


@pytest.mark.parametrize("info", [{}, [], {"model_id": 3}, "x"])
def test_tei_that_says_nothing_of_itself(serve: Serve, clock: Any, info: Any) -> None:
    with pytest.raises(RemoteError, match="names no model"):
        open_("tei", serve(lambda _: Answer(info)), Patience(retries=1, clock=clock))


# --- both ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "script"), [("vllm", Vllm), ("tei", Tei)])
def test_faults_change_no_reward(serve: Serve, clock: Any, kind: str, script: Callable[[], Any]) -> None:
    honest = script()

    def faulty(asked: Asked) -> Answer:
        answer: Answer = honest(asked)
        spoilt = {
            2: dataclasses.replace(answer, fault="drop"),
            4: Answer({"error": "Model is overloaded", "error_type": "overloaded"}, status=429),
            5: dataclasses.replace(answer, fault="cut"),
            6: Answer(b"", status=500),
            7: Answer(b"{"),
        }
        return spoilt.get(asked.number % 9, answer)

    server = serve(faulty)
    reward = open_(kind, server, Patience(retries=20, clock=clock), concurrency=4)
    assert reward(*rows(40)).tolist() == expected(40)


@pytest.mark.parametrize(("kind", "script"), [("vllm", Vllm), ("tei", Tei)])
def test_no_rows_no_requests(serve: Serve, patience: Patience, kind: str, script: Callable[[], Any]) -> None:
    server = serve(script())
    assert open_(kind, server, patience)([], []).shape == (0,)
    assert sent(server) == []


@pytest.mark.parametrize(("kind", "script"), [("vllm", Vllm), ("tei", Tei)])
def test_the_key_goes_into_the_header_alone(
    serve: Serve, patience: Patience, key: str, kind: str, script: Callable[[], Any]
) -> None:
    server = serve(script())
    keyed = open_(kind, server, patience, api_key_env="CHARM_TEST_KEY")
    keyed(*rows(2))
    assert all(a.headers["authorization"] == f"Bearer {key}" for a in server.asked)
    assert keyed.fingerprint == open_(kind, server, patience).fingerprint
    assert key not in keyed.source + keyed.fingerprint + str(vars(keyed)) + str(vars(keyed._client))


def test_the_fingerprint_tells_what_decides_a_reward(serve: Serve, patience: Patience) -> None:
    class Renewed(Tei):
        def _info(self) -> dict[str, Any]:
            return super()._info() | {"model_sha": "0" * 40}

    vllm, tei = serve(Vllm()), serve(Tei())
    prints = [
        open_("vllm", vllm, patience).fingerprint,
        open_("vllm", vllm, patience, endpoint="pooling").fingerprint,
        open_("vllm", vllm, patience, layout="text").fingerprint,
        open_("vllm", vllm, patience, truncate=True).fingerprint,
        open_("vllm", serve(Vllm(max_model_len=9)), patience).fingerprint,
        open_("tei", tei, patience).fingerprint,
        open_("tei", tei, patience, layout="text").fingerprint,
        open_("tei", serve(Renewed()), patience).fingerprint,
    ]
    assert len(set(prints)) == len(prints)
    assert open_("vllm", serve(Vllm()), patience, concurrency=1, timeout=3).fingerprint == prints[0]


@pytest.mark.parametrize("spec", ["vllm", "vllm:", "http://localhost:1", "hf:x", "", "vllm:localhost:8000"])
def test_specs_that_are_not_usable(spec: str) -> None:
    with pytest.raises(ConfigError):
        load_remote_reward(spec)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("vllm", {"endpoint": "embed"}),
        ("vllm", {"endpoint": "predict"}),
        ("vllm", {"layout": "pair"}),
        ("vllm", {"endpoint": "score", "layout": "chat"}),
        ("tei", {"endpoint": "score"}),
        ("tei", {"layout": "chat"}),
    ],
)
def test_options_that_do_not_go_together(
    serve: Serve, patience: Patience, kind: str, options: dict[str, Any]
) -> None:
    server = serve(Vllm() if kind == "vllm" else Tei())
    with pytest.raises(ConfigError):
        open_(kind, server, patience, **options)
    assert server.asked == []
