"""Charts without Vega, which takes a tenth of a second for each: what a chart says stands in it, its layout does not.

For tests of pages, folders and commands that make charts on the way. How charts look is tested in ``report`` and ``display``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def _said(value: Any) -> Iterator[str]:
    """Every string in a specification: titles, names of policies, keys of marks."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _said(one)


def drawn_plainly(spec: str) -> str:
    """An SVG with a line of text for each string of a Vega-Lite specification; a mark's tooltip finds its key there."""
    root = ElementTree.Element("{http://www.w3.org/2000/svg}svg", viewBox="0 0 100 100")
    for text in dict.fromkeys(_said(json.loads(spec))):
        line = ElementTree.SubElement(root, "{http://www.w3.org/2000/svg}text", {"aria-label": text})
        line.text = text
    return ElementTree.tostring(root, encoding="unicode")


@pytest.fixture
def plain_charts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Draw no chart; what would be kept of charts that are drawn is left alone. By name: what draws them otherwise."""
    from charm_rm.report import svg

    real = {"_rendered": svg._rendered, "_pixels": svg._pixels}
    monkeypatch.setattr(svg, "_rendered", drawn_plainly)
    monkeypatch.setattr(svg, "_pixels", lambda _svg: PIXEL)
    return real


@pytest.fixture
def drawn_charts(plain_charts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts that are drawn after all, where a folder's tests have plain ones."""
    from charm_rm.report import svg

    for name, draws in plain_charts.items():
        monkeypatch.setattr(svg, name, draws)
