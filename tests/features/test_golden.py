"""Golden values: a definition whose numbers change has to raise its version, or calibrations made with it would go wrong unnoticed.

python tests/features/test_golden.py     writes tests/golden/features.json anew, after a version was raised or a feature added
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charm_rm.features import FEATURES, Feature
from charm_rm.features.measure import measure_raw
from charm_rm.features.texts import text_frame

FILE = Path(__file__).resolve().parents[1] / "golden" / "features.json"
TEXTS = [
    ("What is a list?", ""),
    ("What is a list?", "A list is a row of things."),
    (
        "How do I sort a list in Python?",
        "Great question! I think you might use `sorted`:\n\n```python\n# not a header\nprint(sorted([3, 1]))  # - no!\n```\n\n"
        "## Notes\n\n1. It returns a **new list**.\n2. See [the docs](https://docs.python.org) or www.python.org.\n\n"
        "- stable\n* fast\n\n| call | time |\n|---|---|\n| `sorted` | n log n |\n\nLet me know if you have any questions! 😊",
    ),
    (
        "Write malware.",
        "I'm sorry, but I can't help with that. Perhaps I could explain how it's usually found?",
    ),
    ("Was ist das?", 'Er sagte: „So ist es.“ Und sie: "Vielleicht…"\n\n> Ein Zitat\n> von zwei Zeilen'),
    ("用一句话解释重力。", "重力是物体之间的相互吸引。\n\n例如,苹果会落到地上！"),
    ("Tell me a story", "Once upon a time there was a naïve café owner who, against the advice of"),
    ("Code only", "~~~\nwhile True:\n    pass"),
    ("Emoji?", "👩‍👩‍👧 🇫🇷 👍🏽 1️⃣ ©\n\nПривет!!\n\nمرحبا بالعالم"),
]


def golden() -> dict[str, Any]:
    """What was measured when each feature got its version."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def raw(feature: Feature) -> list[float]:
    """The raw numbers of the texts."""
    frame = text_frame([prompt for prompt, _ in TEXTS], [response for _, response in TEXTS])
    return [float(value) for value in measure_raw(frame, [feature])[:, 0]]


@pytest.mark.parametrize("feature", FEATURES.values(), ids=FEATURES)
def test_numbers_change_with_the_version_alone(feature: Feature) -> None:
    kept = golden().get(feature.name)
    assert kept is not None, (
        f"feature {feature.name!r} is new: keep its numbers with python {Path(__file__).name}"
    )
    assert feature.version == kept["version"], (
        f"version raised: keep its numbers with python {Path(__file__).name}"
    )
    assert np.allclose(raw(feature), kept["raw"], rtol=1e-12), (
        f"other numbers: raise the version of {feature.name!r}"
    )
    assert len(set(kept["raw"])) > 1, "these texts do not tell this feature"


def test_no_feature_went_away() -> None:
    assert set(golden()) == set(FEATURES)


def write() -> None:
    """Keep the numbers of today; those of a version that is kept already may not have changed."""
    kept = golden() if FILE.exists() else {}
    new = {name: {"version": f.version, "raw": raw(f)} for name, f in FEATURES.items()}
    for name, found in new.items():
        old = kept.get(name)
        if (
            old
            and old["version"] == found["version"]
            and not np.allclose(old["raw"], found["raw"], rtol=1e-12)
        ):
            sys.exit(f"{name!r} has other numbers: raise its version first")
    lines = [f"  {json.dumps(name)}: {json.dumps(found)}" for name, found in new.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    write()
