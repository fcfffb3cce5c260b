"""Blocks of Markdown as HTML made of few elements, with no attribute that a text could fill."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from markdown_it.common.utils import unescapeAll
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import escape

from .characters import shown
from .highlighting import highlighted
from .mathematics import as_mathml

# Code that is coloured and formulas that are drawn, per text; what comes after is shown as written.
MOST_CODE = 30_000
MOST_FORMULAS = 300


def written(text: str) -> str:
    """The text, escaped, with hidden characters written out (an entity may have brought them in)."""
    return str(escape(shown(text)))


def plain(text: str) -> str:
    """The whole text (:func:`.characters.shown` already) as it was written, in a box that scrolls."""
    # The span: a browser drops a line end that follows <pre> directly.
    return _box("Text", f'<pre class="content-plain" dir="auto"><span>{escape(text)}</span></pre>')


def _box(label: str, inside: str) -> str:
    """A part that may be wider than the page: it scrolls by itself, by keyboard too."""
    return f'<div class="content-box" role="group" aria-label="{label}" tabindex="0">{inside}</div>\n'


class Elements(RendererHTML):  # type: ignore[misc, unused-ignore]
    """Tokens as HTML. What one text needs to remember (levels of headings, formulas) is in ``env``, so threads may share this."""

    @staticmethod
    def renderAttrs(token: Token) -> str:
        """Attributes that this renderer has set itself; none of a text's."""
        return "".join(f' {name}="{value}"' for name, value in token.meta.get("ours", {}).items())

    def text(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        box = _BOXES.match(tokens[idx].content) if idx == 0 and env.get("item") else None
        env["item"] = False
        if box:
            mark = "☐" if box[1] == " " else "☑"
            return f"{mark} {written(tokens[idx].content[box.end() :])}"
        return written(tokens[idx].content)

    def inline(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return self.renderInline(tokens[idx].children or [], options, env)

    def code_inline(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return f'<code dir="ltr">{written(tokens[idx].content)}</code>'

    def code_block(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return _code(written(tokens[idx].content))

    def fence(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Code; what is said of it after the fence stands above it."""
        code, info = shown(tokens[idx].content), unescapeAll(tokens[idx].info).strip()
        env["code"] = env.get("code", 0) + len(code)
        language = re.split(r"[\s{,:]", info, maxsplit=1)[0] if env["code"] <= MOST_CODE else ""
        said = f'<p class="content-language">{written(info)}</p>\n' if info else ""
        return said + _code(highlighted(code, language))

    def heading_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Below the page's own headings, and never two levels further down than the one before; the look stays."""
        level, above = int(tokens[idx].tag[1]), env.setdefault("levels", [])
        while above and above[-1] >= level:
            above.pop()
        above.append(level)
        env["heading"] = min(6, env["base"] + len(above) - 1)
        return f'<h{env["heading"]} class="content-h{level}">'

    def heading_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return f"</h{env['heading']}>\n"

    def table_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return '<div class="content-box" role="group" aria-label="Table" tabindex="0"><table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        # An empty header cell is no header: a screen reader would announce nothing.
        env["cell"] = "th" if tokens[idx + 1].content else "td"
        return f"<{env['cell']}{_alignment(tokens[idx])}>"

    def th_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return f"</{env['cell']}>"

    def td_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return f"<td{_alignment(tokens[idx])}>"

    def ordered_list_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Items keep the numbers that were written (Markdown would count on); all the same number means: count."""
        first, numbers = tokens[idx], _items(tokens, idx)
        if len({item.info for item in numbers}) > 1:
            for item in numbers:
                item.meta["ours"] = {"value": int(item.info)}
        start = int(numbers[0].info) if numbers and numbers[0].info else 1
        first.meta["ours"] = {"start": start} if start != 1 else {}
        return self.renderToken(tokens, idx, options, env)

    def list_item_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        env["item"] = True
        return self.renderToken(tokens, idx, options, env)

    def link_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return '<span class="content-link">'

    def link_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """The address beside the text: no link leads away from a study, and none can lie about where it would lead."""
        opened = next(tokens[i] for i in range(idx, -1, -1) if tokens[i].type == "link_open")
        said = "" if opened.markup == "autolink" else _address(opened, str(opened.attrs.get("href", "")))
        return f"</span>{said}"

    def image(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """No image is loaded: its description and address are shown."""
        alt = self.renderInline(tokens[idx].children or [], options, env)
        address = _address(tokens[idx], str(tokens[idx].attrs.get("src", "")))
        return f'<span class="content-image">Image (not loaded): {alt}{address}</span>'

    def math_inline(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return _formula(tokens[idx], env, display=False)

    def math_inline_double(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return _formula(tokens[idx], env, display=True)

    def math_block(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return _box("Formula", _formula(tokens[idx], env, display=True))


_BOXES = re.compile(r"\[([ xX])\](?=\s)\s?")
_CLOSING = {"$": "$", "$$": "$$", "\\(": "\\)", "\\[": "\\]"}


def _formula(token: Token, env: Any, *, display: bool) -> str:
    """A place for the MathML, which is put in after sanitising; without MathML the source."""
    source, mark = shown(token.content).strip(), token.markup
    env["formulas"] = env.get("formulas", 0) + 1
    drawn = as_mathml(source, display=display) if env["formulas"] <= MOST_FORMULAS else None
    if drawn is None:
        return f'<code class="content-formula" dir="ltr">{mark}{escape(source)}{_CLOSING[mark]}</code>'
    env["drawn"].append((source, drawn))
    return f'<span class="content-place">{len(env["drawn"]) - 1}</span>'


def _code(code: str) -> str:
    return _box("Code", f'<pre class="content-code" dir="ltr"><code>{code}</code></pre>')


def _address(token: Token, address: str) -> str:
    title = str(token.attrs.get("title", ""))
    said = f'{written(address)} "{written(title)}"' if title else written(address)
    return f' <span class="content-address">({said})</span>' if address or title else ""


def _alignment(cell: Token) -> str:
    side = str(cell.attrs.get("style", "")).removeprefix("text-align:")
    return f' class="content-{side}"' if side in ("left", "right", "center") else ""


def _items(tokens: Sequence[Token], start: int) -> list[Token]:
    """The items of the list that opens at ``start``, without those of lists within."""
    found = []
    for token in tokens[start + 1 :]:
        if token.type == "ordered_list_close" and token.level == tokens[start].level:
            break
        if token.type == "list_item_open" and token.level == tokens[start].level + 1:
            found.append(token)
    return found
