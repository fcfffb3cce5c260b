"""A real OpenAI-compatible server: llama.cpp over SmolLM2, on loopback."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("httpx", reason="needs the [api] extra")

from charm_rm.errors import RemoteRefused
from charm_rm.judging.chat import Messages, Reply
from charm_rm.remote import OpenAIChat
from remote.llama_server import MODEL, llama_server, smollm2_gguf, why_not, write_float32

pytestmark = [
    pytest.mark.slow,
    pytest.mark.models,
    pytest.mark.skipif(why_not() is not None, reason=why_not() or "-"),
]

QUESTIONS = [
    "Which is larger, 2 or 3? Answer with the digit.",
    "Name a colour.",
    "Say yes or no: is snow black?",
]
TALKS: list[Messages] = [[{"role": "user", "content": q}] for q in QUESTIONS]
KEY = "sk-local-canary-0123456789"


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with llama_server(context=512, api_key=KEY) as url:
        yield url


@pytest.fixture
def chat(base_url: str, monkeypatch: pytest.MonkeyPatch) -> OpenAIChat:
    monkeypatch.setenv("CHARM_TEST_KEY", KEY)
    return OpenAIChat(MODEL, base_url=base_url, api_key_env="CHARM_TEST_KEY", concurrency=3, retries=0)


def ask(chat: OpenAIChat, *, max_tokens: int = 1) -> list[Reply]:
    replies = dict(chat.replies(TALKS, max_tokens=max_tokens, top_logprobs=20))
    return [replies[i] for i in range(len(TALKS))]


def test_log_probabilities_are_plausible_and_the_same_again(chat: OpenAIChat) -> None:
    first = ask(chat)
    assert chat.gives_logprobs is True
    for reply in first:
        assert reply.top_logprobs is not None
        # Special tokens all have the empty text, so there may be fewer texts than candidates.
        assert 15 <= len(reply.top_logprobs) <= 20
        assert 0.3 < math.fsum(map(math.exp, reply.top_logprobs.values())) <= 1 + 1e-6
        likeliest = max(reply.top_logprobs, key=lambda token: (reply.top_logprobs or {})[token])
        assert reply.text == likeliest.strip(), "at temperature 0 the likeliest token is the answer"
        assert (reply.completion_tokens, reply.finish) == (1, "length")
        assert 30 < (reply.prompt_tokens or 0) < 80
    assert len({tuple(r.top_logprobs or ()) for r in first}) == len(TALKS)
    assert ask(chat) == first
    assert (chat.usage.requests, chat.usage.failed) == (6, 0)


def test_the_log_probabilities_are_those_of_transformers(tmp_path: Path) -> None:
    """The same weights in float32, there and here; templates and tokens have to agree for that, too."""
    torch = pytest.importorskip("torch", reason="needs the [hf] extra")
    transformers = pytest.importorskip("transformers", reason="needs the [hf] extra")
    gguf = smollm2_gguf()
    assert gguf is not None
    tokenizer = transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32
    )
    with llama_server(model=write_float32(tmp_path / "float32.gguf"), context=256) as url:
        replies = ask(OpenAIChat(MODEL, base_url=url, api_key_env=None))
    for talk, reply in zip(TALKS, replies, strict=True):
        text = tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        assert ids.shape[1] == reply.prompt_tokens
        with torch.inference_mode():
            here = torch.log_softmax(model(ids).logits[0, -1].double(), -1)
        assert reply.top_logprobs is not None
        for token, there in reply.top_logprobs.items():
            if token:  # the special ones have no text
                (i,) = tokenizer(token, add_special_tokens=False)["input_ids"]
                assert there == pytest.approx(here[i].item(), abs=2e-3)


def test_the_key_is_wanted_and_named(base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHARM_OTHER_KEY", raising=False)
    with pytest.raises(RemoteRefused, match="CHARM_OTHER_KEY is not set"):
        ask(OpenAIChat(MODEL, base_url=base_url, api_key_env="CHARM_OTHER_KEY"))


def test_a_conversation_that_is_too_long_is_named_unquoted(chat: OpenAIChat) -> None:
    long: list[Messages] = [[{"role": "user", "content": "treasure island " * 600}]]
    with pytest.raises(RemoteRefused, match=r"conversation 0: .*exceeds the available context") as caught:
        list(chat.replies(long, max_tokens=1, top_logprobs=0))
    assert "treasure island" not in str(caught.value)
    assert caught.value.status == 400


def test_the_server_ends_with_its_parent() -> None:
    program = """
        import os, signal, sys
        from remote.llama_server import llama_server
        with llama_server(context=256) as url:
            print(url, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    tests = str(Path(__file__).resolve().parents[1])
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=120,
        env=os.environ | {"PYTHONPATH": tests},
    )
    url = run.stdout.strip()
    assert url.startswith("http://127.0.0.1:")
    chat = OpenAIChat(MODEL, base_url=url, api_key_env=None, retries=0, timeout=2)
    for _ in range(100):
        try:
            list(chat.replies(TALKS[:1], max_tokens=1, top_logprobs=0))
        except Exception as error:
            if "no connection" in str(error):
                break
        time.sleep(0.1)
    else:
        pytest.fail("the server outlived its parent")
