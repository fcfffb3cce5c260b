"""Answers and prompts as HTML that is safe to show: formatted where that is possible in bounded time, and always complete.

Whatever a model has written, a rater sees all of it and nothing else happens: no script, no style, no request, no link. Markdown is
laid out by markdown-it-py, code is coloured by Pygments, formulas are drawn as MathML, all of it passes nh3. A text that is too long or
too tangled, or of which formatting would hide a part, is shown as it was written, and that is said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from ...conversations import ROLES
from .characters import shown
from .elements import Elements, plain, written
from .markdown import TooMuch, parser, tokens_of
from .sanitising import all_there, sanitised
from .shelf import Shelf

# Beyond this many characters (some 10,000 words) a text is shown as it was written.
LONGEST = 60_000
# The page's own headings are h1 and h2.
FIRST_HEADING = 3

Prompt = str | Sequence[Mapping[str, Any]]
_SPEAKERS = {"user": "User", "assistant": "Assistant", "system": "System message", "tool": "Tool"}
_SHELF = Shelf(characters=16_000_000)


def render_text(text: str) -> Markup:
    """An answer as HTML, in a ``<div class="content">``. The same text gives the same HTML, whoever asks, however busy the server is."""
    found = _SHELF.get(text)
    if found is None:
        found = f'<div class="content" dir="auto">{_rendered(shown(text))}</div>'
        _SHELF.put(text, found)
    return Markup(found)


def render_prompt(prompt: Prompt) -> Markup:
    """A prompt: one user's message alone as a text, a conversation with the roles of all that speak.

    ``prompt`` is text or messages ``{role, content}``, whose content is text or a list of parts. A part that is no text (an image, a
    call of a tool) is described, not loaded.
    """
    if isinstance(prompt, str):
        return render_text(prompt)
    turns = [(_speaker(message), _content(message)) for message in prompt]
    if [speaker for speaker, _ in turns] == ["User"]:
        return Markup("").join(turns[0][1])
    return Markup("").join(
        Markup('<section class="content-turn"><p class="content-speaker">{}</p>\n{}</section>\n').format(
            speaker, Markup("").join(content)
        )
        for speaker, content in turns
    )


def _rendered(text: str) -> str:
    if not text.strip():
        return _note("This text is empty." if not text else "This text is white space alone.")
    if len(text) > LONGEST:
        return _note(
            f"A long text ({len(text):,} characters), shown without formatting, as it was written."
        ) + _plain(text)
    try:
        return _formatted(text)
    except TooMuch:
        return _note(
            "A text that nests or repeats a lot, shown without formatting, as it was written."
        ) + _plain(text)
    except _Hidden:
        return _note("Formatting would hide a part of this text. It is shown as it was written.") + _plain(
            text
        )


class _Hidden(Exception):
    """A part of the text is not in its formatted form."""


def _formatted(text: str) -> str:
    """The text laid out as Markdown.

    Raises:
        TooMuch: that would take too long.
        _Hidden: letters of the text are missing in it.
    """
    env: dict[str, Any] = {"drawn": [], "base": FIRST_HEADING}
    tokens = tokens_of(text)
    page = sanitised(Elements().render(tokens, parser().options, env))
    drawn: list[tuple[str, str]] = env["drawn"]
    if not all_there(text, _with_formulas(page, [str(escape(source)) for source, _ in drawn])):
        raise _Hidden
    return _with_formulas(page, [mathml for _, mathml in drawn])


def _with_formulas(page: str, formulas: Sequence[str]) -> str:
    """The page with each formula in its place. No text can look like such a place: its ``<`` is escaped."""
    return re.sub(r'<span class="content-place">(\d+)</span>', lambda found: formulas[int(found[1])], page)


def _plain(text: str) -> str:
    return sanitised(plain(text))


def _note(words: str) -> str:
    return f'<p class="content-note">{words}</p>\n'


def _speaker(message: Mapping[str, Any]) -> str:
    role = str(message.get("role", ""))
    return _SPEAKERS.get(ROLES.get(role.casefold(), role), shown(role) or "Nobody named")


def _content(message: Mapping[str, Any]) -> list[Markup]:
    """The content's parts, and whatever else the message has (a call of a tool, say)."""
    content = message.get("content")
    parts = content if isinstance(content, list) else [] if content is None else [content]
    rest = {key: value for key, value in message.items() if key not in ("role", "content") and value}
    texts = [_text(part) for part in parts]
    said = [
        _part(part) if text is None else render_text(text) for part, text in zip(parts, texts, strict=True)
    ]
    said += [_part({"type": key, key: value}) for key, value in rest.items()]
    return said or [render_text("")]


def _text(part: Any) -> str | None:
    if isinstance(part, str):
        return part
    is_text = (
        isinstance(part, Mapping) and part.get("type", "text") == "text" and isinstance(part.get("text"), str)
    )
    return part["text"] if is_text else None


def _part(part: Any) -> Markup:
    kind = str(part.get("type", "part")) if isinstance(part, Mapping) else "part"
    words = (
        "An image, which is not shown here" if "image" in kind else f"A part that is no text ({shown(kind)})"
    )
    details = json.dumps(part, ensure_ascii=False, default=str)
    return Markup('<div class="content" dir="auto"><p class="content-note">{}:</p>{}</div>\n').format(
        words, Markup(_plain(shown(details)))
    )


__all__ = ["render_prompt", "render_text", "written"]
