"""What tests of commands share: pages that commands write on the way have no drawn charts."""

from __future__ import annotations

import pytest

from plain_charts import drawn_charts, plain_charts  # noqa: F401  (fixtures)


@pytest.fixture(autouse=True)
def no_drawing(plain_charts: object) -> None:  # noqa: F811
    """Most commands with ``-o`` write a page; drawing its charts takes longer than the command."""
