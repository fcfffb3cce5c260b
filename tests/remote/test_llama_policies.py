"""Policies behind a real OpenAI-compatible server: llama.cpp over SmolLM2, on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest

pytest.importorskip("httpx", reason="needs the [api] extra")

from charm_rm.generation import Generated, generate_responses
from charm_rm.memo import Memo
from charm_rm.remote import OpenAIPolicy
from generation_fakes import plan_of, prompts_of
from remote.llama_server import MODEL, llama_server, why_not

pytestmark = [
    pytest.mark.slow,
    pytest.mark.models,
    pytest.mark.skipif(why_not() is not None, reason=why_not() or "-"),
]

BRIEF = "Be brief. Answer in one short sentence."
THOROUGH = "Be thorough. Use markdown with headings and bullet lists."
PROMPTS = prompts_of(*(f"Tell me about {topic}." for topic in ("trains", "clocks")))


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with llama_server(context=300, threads=1) as url:
        yield url


def answers(base_url: str, memo: Memo, prompts: pl.DataFrame = PROMPTS, **how: object) -> Generated:
    policy = OpenAIPolicy(MODEL, base_url=base_url, api_key_env=None, concurrency=2)
    plan = plan_of(policy, **{"max_tokens": 80, **how})
    return generate_responses(plan, prompts, memo=memo, too_long="skip", progress=False)


@pytest.mark.filterwarnings("ignore:.*cut off:charm_rm.errors.CharmWarning")
def test_system_prompts_make_policies_that_differ_and_nothing_is_asked_twice(base_url: str) -> None:
    with Memo.open(None) as memo:
        half = answers(base_url, memo, PROMPTS.head(1), system=BRIEF)
        brief = answers(base_url, memo, system=BRIEF)
        thorough = answers(base_url, memo, system=THOROUGH)
    assert (half.asked, brief.known, brief.asked, thorough.asked) == (1, 1, 1, 2)
    assert brief.models == {MODEL: 2}
    assert brief.frame["n_tokens"].is_between(1, 80).all()
    assert set(brief.frame["finish_reason"]) <= {"stop", "length"}
    assert brief.frame["n_tokens"].mean() < 0.8 * thorough.frame["n_tokens"].mean()  # type: ignore[operator]
    assert (brief.frame["response"] != thorough.frame["response"]).all()
    assert brief.usage.uncounted == 0


@pytest.mark.filterwarnings("ignore:.*cut off:charm_rm.errors.CharmWarning")
def test_seeds_reach_the_server(base_url: str) -> None:
    """The same seed gives the same answer again; samples differ."""
    one, again = (_drawn(base_url) for _ in range(2))
    assert one.frame["response"].to_list() == again.frame["response"].to_list()
    assert one.frame["response"].n_unique() >= 3


def _drawn(base_url: str) -> Generated:
    with Memo.open(None) as memo:
        return answers(base_url, memo, PROMPTS.head(2), temperature=1.0, samples=2, max_tokens=12)


@pytest.mark.filterwarnings("ignore:.*cut off:charm_rm.errors.CharmWarning")
def test_a_prompt_over_the_context_length_is_left_out(base_url: str) -> None:
    with Memo.open(None) as memo, pytest.warns(match="1 prompt left out: too long"):
        done = answers(base_url, memo, prompts_of("Say hello.", "word " * 500), max_tokens=5)
    assert done.frame["prompt_id"].to_list() == ["p0"]
    assert done.too_long == 1
