"""What stands in for a judge behind an OpenAI-compatible address."""

from __future__ import annotations

import math
import re

from remote.fault_server import Answer, Asked


def prefers_longer(asked: Asked) -> Answer:
    """What stands in for OpenAI's server: a judge that likes length, with probabilities."""
    text = asked.body["messages"][-1]["content"]
    parts = re.search(r"### Answer A \w+\n(.*)\n### Answer B \w+\n(.*)\n### End", text, re.DOTALL)
    assert parts, "the prompt of alpaca-eval-like"
    longer = max(-200, min(200, len(parts[2]) - len(parts[1])))
    p_first = 1 / (1 + 2 ** (longer / 40))
    top = [{"token": t, "logprob": math.log(p)} for t, p in (("A", p_first), ("B", 1 - p_first))]
    message = {"role": "assistant", "content": "A" if p_first > 0.5 else "B"}
    choice = {
        "message": message,
        "finish_reason": "stop",
        "logprobs": {"content": [{"token": "A", "top_logprobs": top}]},
    }
    return Answer({"choices": [choice], "usage": {"prompt_tokens": len(text) // 4, "completion_tokens": 1}})
