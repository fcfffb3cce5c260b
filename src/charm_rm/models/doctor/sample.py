"""A small set of prompts and responses of our own, for when a model is examined without any."""

from __future__ import annotations

import polars as pl

from ...tables import Responses

_STEPS = "Measure the shelf, mark the wall, drill two holes, put in the plugs, and drive the screws home. "
_STORY = "The lamp went out, so she counted the steps in the dark, and at the ninth she heard the sea again. "
_CODE = """```python
def mean(values: list[float]) -> float:
    if not values:
        raise ValueError("no values")
    return sum(values) / len(values)
```"""

# Prompt, and what two policies answered: one does the work, the other hardly.
_TEXTS = {
    "What is the capital of Kenya?": ("Nairobi.", "It is a large country with many cities."),
    "Write a Python function that gives the mean of a list.": (f"{_CODE}\n\nIt refuses an empty list.", "mean = 3"),
    "How do I put up a shelf?": ("Here is how.\n\n" + "- " + "\n- ".join(_STEPS.split(", ")), "With care."),
    "Tell me a long story about a lighthouse.": (_STORY * 12, _STORY),
    "Explain tides to a child.": (
        "The moon pulls at the sea. Where it pulls most, the water stands a little higher, and as the Earth turns "
        "every coast passes through the high water twice a day.",
        "Tides are when the tide comes in.",
    ),
    "Übersetze ins Deutsche: The bread is fresh.": ("Das Brot ist frisch.", "The bread is fresh."),
    "用一句话介绍长城。": ("长城是中国古代修建的防御工程，绵延两万多公里。", "不知道。"),
    "¿Cuántos minutos hay en tres horas?": ("Hay 180 minutos: 3 × 60.", "Hay 90 minutos."),
    "Список из трёх фруктов, пожалуйста.": ("1. Яблоко\n2. Груша\n3. Слива", "Яблоко"),
    "Is 91 a prime number? Think it through.": (
        "No. 91 = 7 × 13, so it has divisors besides 1 and itself.",
        "Yes, 91 is prime because it is odd.",
    ),
    "Summarise: " + _STEPS * 8: ("Measure, mark, drill, plug, screw.", ""),
    "Reply with a JSON object that has a name and an age.": ('{"name": "Ada", "age": 36}', "name: Ada"),
}  # fmt: skip


def built_in() -> Responses:
    """Twelve prompts, two responses each: short, long, code, several scripts, one empty."""
    rows = [
        {"prompt_id": f"built-in-{i}", "prompt": prompt, "policy": policy, "response": response}
        for i, (prompt, pair) in enumerate(_TEXTS.items())
        for policy, response in zip(("careful", "careless"), pair, strict=True)
    ]
    return Responses(pl.DataFrame(rows), provenance={"verb": "built_in"})
