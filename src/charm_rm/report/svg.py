"""From a Vega-Lite chart to SVG: one drawing for files, and one for the page.

The page's copy takes its colours from CSS variables (so it follows light and dark), carries its tooltips
as ``data-tip`` attributes, and is rebuilt from a short list of drawing elements: nothing that could
run or fetch survives, whatever a policy is called.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from xml.etree import ElementTree

import vl_convert
from markupsafe import Markup

from .theme import variable

_ELEMENTS = {"svg", "g", "path", "text", "tspan", "rect", "line", "circle"}
_ATTRIBUTES = {
    *("d", "transform", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "ry", "width", "height"),
    *("fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray"),
    *("stroke-linecap", "stroke-miterlimit", "opacity", "viewBox"),
    *("text-anchor", "font-size", "font-weight", "font-style"),
}

_INHERITED = ("fill", "stroke", "stroke-width", "font-size", "text-anchor")


@dataclass(frozen=True)
class Drawing:
    """A drawn chart: ``svg`` with fixed light colours, ``tips`` by the key that each mark carries."""

    svg: str
    tips: Mapping[str, str]

    def png(self) -> bytes:
        """The drawing as a PNG at twice its size."""
        return _pixels(self.svg)

    def inline(self, label: str, *, css_class: str = "") -> Markup:
        """The drawing for the page: themed, with tooltips, described to screen readers by ``label``."""
        root = ElementTree.fromstring(self.svg)
        _rebuild(root, self.tips)
        root.set("role", "img")
        root.set("aria-label", label)
        root.set("class", f"chart {css_class}".strip())
        return Markup(ElementTree.tostring(root, encoding="unicode"))


def draw(spec: Mapping[str, object], tips: Mapping[str, str]) -> Drawing:
    """Render a Vega-Lite specification; data must be inside it, no address is ever fetched."""
    return Drawing(_standalone(_rendered(json.dumps(spec)), tips), tips)


# Both are kept: a page that is written again, under another title say, has the same charts.
@lru_cache(maxsize=32)
def _rendered(spec: str) -> str:
    return str(vl_convert.vegalite_to_svg(json.loads(spec), allowed_base_urls=[]))


@lru_cache(maxsize=32)
def _pixels(svg: str) -> bytes:
    return bytes(vl_convert.svg_to_png(svg, scale=2))


def _standalone(svg: str, tips: Mapping[str, str]) -> str:
    """Give each mark its tooltip as ``<title>``, so that the file shows names on hover by itself."""
    ElementTree.register_namespace("", "http://www.w3.org/2000/svg")
    root = ElementTree.fromstring(svg)
    for mark in root.iter():
        key = mark.get("aria-label", "")
        if key in tips:
            mark.set("aria-label", tips[key].replace("\n", "; "))
            mark.set("data-key", key)
            title = ElementTree.SubElement(mark, "{http://www.w3.org/2000/svg}title")
            title.text = tips[key]
    return ElementTree.tostring(root, encoding="unicode")


def _rebuild(node: ElementTree.Element, tips: Mapping[str, str]) -> None:
    """Keep known drawing elements and attributes alone, in place."""
    node.tag = _local(node.tag)
    tip = tips.get(node.get("data-key", ""))
    kept = {k: _themed(k, v) for k, v in node.attrib.items() if k in _ATTRIBUTES}
    node.attrib.clear()
    node.attrib.update(kept | ({"data-tip": tip} if tip else {}))
    for child in list(node):
        if _local(child.tag) not in _ELEMENTS or child.get("display") == "none" or child.get("d") == "":
            node.remove(child)
        else:
            _rebuild(child, tips)
    _hoist(node)


def _hoist(node: ElementTree.Element) -> None:
    """Move to a group what all its children say alike: a heat map of 46 policies has 2,070 cells."""
    if node.tag != "g" or len(node) < 3:
        return
    for name in _INHERITED:
        values = {child.get(name) for child in node}
        if len(values) == 1 and (value := values.pop()) is not None:
            node.set(name, value)
            for child in node:
                del child.attrib[name]


def _themed(name: str, value: str) -> str:
    return variable(value) if name in ("fill", "stroke") else value


def _local(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]
