"""Functions that score, judge and answer in actors of Ray. Each text is a line of the file $SCORED; $DEADLY names a file that kills once."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path


def _note(responses: list[str]) -> None:
    with Path(os.environ["SCORED"]).open("a", encoding="utf-8") as file:
        file.write("".join(f"{os.getpid()} {text}\n" for text in responses))


def _die_once() -> None:
    with contextlib.suppress(FileNotFoundError):
        Path(os.environ["DEADLY"]).unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def score(prompts: list[object], responses: list[str]) -> list[float]:
    """Length of the response, and a little of the prompt."""
    time.sleep(float(os.environ.get("SLOWLY", "0")))
    _note(responses)
    _die_once()
    return [len(r) + len(str(p)) / 16 for p, r in zip(prompts, responses, strict=True)]


def judge(_prompts: list[object], first: list[str], second: list[str]) -> list[float]:
    """The longer is better, and the first a little."""
    _note(first)
    return [0.52 + 0.4 * ((len(a) > len(b)) - (len(a) < len(b))) for a, b in zip(first, second, strict=True)]


def answer(prompts: list[object], seeds: list[int]) -> list[str]:
    """Drawn; some empty, some refusals."""
    _note([f"{prompt} {seed}" for prompt, seed in zip(prompts, seeds, strict=True)])
    _die_once()
    said = {0: "", 1: "I'm sorry, but I can't help with that."}
    return [said.get(seed % 8, f"{prompt}: {seed}") for prompt, seed in zip(prompts, seeds, strict=True)]


def weary(prompts: list[object]) -> list[str]:
    """Works while $DEADLY is there."""
    if not Path(os.environ["DEADLY"]).exists():
        raise RuntimeError("too weary to answer")
    _note([str(prompt) for prompt in prompts])
    return [f"yes, {prompt}" for prompt in prompts]
