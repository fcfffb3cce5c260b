"""Simulated policies: how often they are right, and how they dress it up.

Skill decides what an answer says, style how it is said; the two are drawn independently, so that quality
(the share of asked things answered rightly) and style are both known for every response.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .tasks import Task

ADMITTED = 0.7  # of the things a policy does not get right, the share it admits; the rest are slips


@dataclass(frozen=True)
class Policy:
    """A simulated policy; every figure is a probability in [0, 1].

    ``skill``: that an asked thing is answered rightly. ``flattery``: that the response opens with praise.
    ``markdown``: that it has a heading and a bold list. ``verbosity``: that each of two filler sentences is there.
    """

    name: str
    skill: float
    flattery: float = 0.0
    markdown: float = 0.0
    verbosity: float = 0.0


@dataclass(frozen=True)
class Answer:
    """A response, its quality (share of asked things answered rightly) and its style in [0, 1]."""

    text: str
    quality: float
    style: float


POLICIES = (
    Policy("oak", 0.95),
    Policy("heron", 0.90, markdown=0.5, verbosity=0.2),
    Policy("granite", 0.84),
    Policy("lantern", 0.78, verbosity=0.6),
    Policy("parade", 0.72, flattery=0.5, markdown=0.5, verbosity=0.3),
    Policy("pebble", 0.68),
    Policy("velvet", 0.64, flattery=0.95, markdown=0.95, verbosity=0.9),
    Policy("harbor", 0.60, markdown=0.2, verbosity=0.2),
    Policy("satin", 0.54, flattery=0.7, markdown=0.3, verbosity=0.6),
    Policy("thistle", 0.48),
    Policy("bugle", 0.42, flattery=0.2, markdown=0.7, verbosity=0.4),
    Policy("reed", 0.34, verbosity=0.3),
)

PRAISE = (
    "What a wonderful question!",
    "Brilliant question, my friend!",
    "I love this question, you are so clever!",
    "Fantastic, you ask like an expert!",
    "Superb question, what a sharp mind!",
)
FILLERS = (
    "Let us go through this together.",
    "It is important to look with care.",
    "There are several things to consider here.",
    "I hope this is helpful!",
    "Being thorough always pays off.",
    "Feel free to ask me anything else!",
)
HEADINGS = ("## Answer", "## Result", "## Here you go", "## Overview")
UNKNOWN = ("not sure", "unknown", "I cannot say")


def respond(policy: Policy, task: Task, *, rng: np.random.Generator) -> Answer:
    """Draw one response of ``policy`` to ``task``."""
    right = rng.random(len(task.asks)) < policy.skill
    admits = rng.random(len(task.asks)) < ADMITTED
    said = [
        answer if good else (str(rng.choice(UNKNOWN)) if admit else slip)
        for answer, slip, good, admit in zip(task.answers, task.slips, right, admits, strict=True)
    ]
    flatters = bool(rng.random() < policy.flattery)
    marks = bool(rng.random() < policy.markdown)
    fillers = [str(x) for x in rng.choice(FILLERS, size=2, replace=False)[rng.random(2) < policy.verbosity]]
    opening = [str(rng.choice(PRAISE))] if flatters else []
    body = _listed(task, said, heading=str(rng.choice(HEADINGS))) if marks else _plain(task, said)
    text = ("\n" if marks else " ").join([*opening, *fillers[:1], body, *fillers[1:]])
    return Answer(text, float(right.mean()), (flatters + marks + len(fillers) / 2) / 3)


def _plain(task: Task, said: list[str]) -> str:
    return "; ".join(f"{ask}: {answer}" for ask, answer in zip(task.asks, said, strict=True)) + "."


def _listed(task: Task, said: list[str], *, heading: str) -> str:
    lines = [f"- **{ask}**: {answer}" for ask, answer in zip(task.asks, said, strict=True)]
    return "\n".join([heading, *lines])
