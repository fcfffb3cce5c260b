"""The report's tables of who answered."""

from __future__ import annotations


def test_who_answered_and_how_each_was_asked() -> None:
    from types import SimpleNamespace

    from charm_rm.report.listings import policies_listing

    asked = {"system": "<b>Be brief.</b>", "temperature": 0.7, "top_p": 1.0, "max_tokens": 64, "samples": 2}
    told = [
        {"policy": "mine", "source": "my-model", "settings": asked, "counts": {"answers": 60}},
        {"policy": "theirs", "taken": {}, "counts": {"answers": 30}},
    ]
    found = policies_listing(SimpleNamespace(generated={"policies": told}))  # type: ignore[arg-type]
    assert found is not None
    assert found.rows[0] == [
        "mine",
        "my-model",
        "<b>Be brief.</b>",
        "0.7",
        "1",
        "64",
        "2",
        "60",
    ]  # the page escapes
    assert found.rows[1] == ["theirs", "outputs that exist", "–", "–", "–", "–", "–", "30"]
    assert policies_listing(SimpleNamespace(generated={})) is None  # type: ignore[arg-type]
