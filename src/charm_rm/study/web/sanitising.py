"""What may be in the HTML of a text: a short list of elements and attributes; and whether all of the text is in it."""

from __future__ import annotations

import html
import re

import nh3

ELEMENTS = frozenset(
    [
        "blockquote",
        "br",
        "code",
        "dd",
        "del",
        "div",
        "dl",
        "dt",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "section",
        "span",
        "strong",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
ATTRIBUTES: dict[str, set[str]] = {
    **{name: {"class"} for name in ("td", "th", "p", "h3", "h4", "h5", "h6", "section")},
    "div": {"class", "role", "aria-label", "tabindex", "dir"},
    **{name: {"class", "dir"} for name in ("pre", "code", "span")},
    "ol": {"start"},
    "li": {"value"},
}

# Left out of the comparison, as Markdown shows them in another way: entities, boxes of tasks, numbers of lists.
_TURNED = re.compile(
    r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});|\[[xX]\]"
    r"|(?m:^[ \t>*+\-]*(?:\d{1,9}[.)][ \t>*+\-]*)+)"
)
_ALIKE = re.compile(r"[\W_]+")


def sanitised(page: str) -> str:
    """The HTML without any other element or attribute; no text is removed (that of a forbidden element stays as text)."""
    return nh3.clean(
        page,
        tags=set(ELEMENTS),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        clean_content_tags=set(),
        url_schemes=set(),
        link_rel=None,
    )


def all_there(source: str, page: str) -> bool:
    """Whether every letter and digit of ``source`` is in the HTML's text, in the same order (but entities and numbers of lists)."""
    wanted = _ALIKE.sub("", _TURNED.sub(" ", source))
    there = iter(_ALIKE.sub("", text_of(page)))
    return all(character in there for character in wanted)


def text_of(page: str) -> str:
    """The text of HTML in which ``<`` and ``>`` of the text are escaped."""
    return html.unescape(re.sub(r"<[^>]*>", " ", page))
