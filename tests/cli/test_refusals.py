"""What the system refuses, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from charm_rm.cli.refusals import system_refusal


def test_links_in_a_circle_are_said(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises((RuntimeError, OSError)) as told:
        loop.resolve(strict=True)
    found = system_refusal(told.value)
    assert found is not None
    assert "loop" in str(found)
