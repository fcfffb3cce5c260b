"""What is a conversation, and what only looks like one."""

from __future__ import annotations

from typing import Any

import pytest

from charm_rm.conversations import is_conversation

HI = {"role": "user", "content": "Hi."}


@pytest.mark.parametrize("value", [[HI], [HI, {"role": "assistant", "content": ""}], [HI | {"name": "Ann"}]])
def test_conversations(value: Any) -> None:
    assert is_conversation(value)


@pytest.mark.parametrize(
    "value", ["Hi.", [], None, HI, [HI, "Hi."], [{"role": "user"}], [{"role": "user", "content": None}]]
)
def test_others(value: Any) -> None:
    assert not is_conversation(value)
