"""Texts too long for the judge: shortened alike in either order, the template's words untouched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import CharmWarning, ConfigError
from charm_rm.judging import ChatJudge, Messages, Reply, load_template, plan_pairs, run_judge
from charm_rm.judging.fitting import fit_conversation, shares
from judge_fakes import FakeChat, responses_of

TEMPLATE = load_template("alpaca-eval-like")


class ShortChat(FakeChat):
    """A chat whose tokens are words, and whose limit is a few hundred of them."""

    limit = 260

    def excess(self, conversation: Messages, *, max_tokens: int) -> int:
        return sum(self.count(m["content"]) for m in conversation) + max_tokens - self.limit

    def count(self, text: str) -> int:
        return len(text.split())

    def head(self, text: str, n: int) -> str:
        return " ".join(text.split()[:n])

    def replies(
        self, conversations: Sequence[Messages], *, max_tokens: int, top_logprobs: int
    ) -> Iterator[tuple[int, Reply]]:
        assert all(self.excess(c, max_tokens=max_tokens) <= 0 for c in conversations)
        yield from super().replies(conversations, max_tokens=max_tokens, top_logprobs=top_logprobs)


def words(name: str, n: int) -> str:
    return " ".join(f"{name}{i}" for i in range(n))


@given(st.lists(st.integers(0, 50), min_size=1, max_size=5), st.integers(0, 120))
def test_shares_cut_the_longest_first_and_equals_alike(sizes: list[int], room: int) -> None:
    kept = shares(sizes, room)
    assert sum(kept) <= room or kept == sizes
    assert all(k <= s for k, s in zip(kept, sizes, strict=True))
    cut = {k for k, s in zip(kept, sizes, strict=True) if k < s}
    assert len(cut) <= 1
    assert all(k <= max(cut, default=k) for k in kept)
    if sum(sizes) > room:
        assert sum(kept) > room - len(sizes)
    else:
        assert kept == sizes


def test_what_fits_is_left_alone() -> None:
    chat = ShortChat(lambda _: Reply("A"))
    messages, cut = fit_conversation(TEMPLATE, chat, "q", "one", "two")
    assert (messages, cut) == (TEMPLATE.fill("q", "one", "two"), False)


def test_long_texts_lose_their_ends_alike_in_either_order() -> None:
    chat = ShortChat(lambda _: Reply("A"))
    there, _ = fit_conversation(TEMPLATE, chat, words("p", 20), words("x", 400), words("y", 300))
    back, cut = fit_conversation(TEMPLATE, chat, words("p", 20), words("y", 300), words("x", 400))
    assert cut
    assert sorted(there[1]["content"].split()) == sorted(back[1]["content"].split())
    content = there[1]["content"]
    assert words("p", 20) in content
    assert TEMPLATE.user.splitlines()[-1] in content
    assert content.count(" x") == content.count(" y") > 20
    assert "x0 x1 x2" in content


def test_a_template_that_leaves_no_room_is_an_error() -> None:
    chat = ShortChat(lambda _: Reply("A"))
    chat.limit = chat.excess(TEMPLATE.fill("q", "", ""), max_tokens=1) + chat.limit + 1
    with pytest.raises(ConfigError, match="leaves no room"):
        fit_conversation(TEMPLATE, chat, "q", words("x", 50), words("y", 50))


def test_a_run_counts_what_was_shortened() -> None:
    responses = responses_of({"q": {"a": words("a", 500), "b": "short"}, "r": {"a": "brief", "b": "short"}})
    judge = ChatJudge(ShortChat(lambda _: Reply("A")), TEMPLATE)
    with pytest.warns(CharmWarning, match="2 of 4 questions were too long"):
        run = run_judge(judge, responses, plan_pairs(responses), progress=False)
    assert run.margins.provenance["truncated"] == 2
