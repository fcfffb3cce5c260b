"""Write the colours of code on the raters' page: Pygments' styles, each colour moved until it can be read on its paper.

python docs/make_code_css.py           writes src/charm_rm/study/web/static/code.css
python docs/make_code_css.py --check   exits with 1 where it is not fresh (another Pygments may have other colours)
"""

from __future__ import annotations

import sys
from pathlib import Path

from pygments.styles import get_style_by_name
from pygments.token import STANDARD_TYPES

FILE = Path(__file__).resolve().parent.parent / "src/charm_rm/study/web/static/code.css"
# theme -> (style of Pygments, paper, ink)
THEMES = {"light": ("default", "#f6f4ee", "#1d2226"), "dark": ("github-dark", "#101316", "#e8e6e1")}
# WCAG asks for 4.5; some more, so that rounding on a screen does no harm.
CONTRAST = 4.6


def render() -> str:
    """The style sheet: light, dark where the system or the reader asks for it, light on paper."""
    light, dark = rules("light"), rules("dark")
    return (
        "/* Written by docs/make_code_css.py from Pygments' styles; every colour has a contrast of 4.5 or more. */\n"
        + block("", light)
        + "@media (prefers-color-scheme: dark) {\n"
        + block(':root:not([data-theme="light"]) ', dark)
        + "}\n"
        + block(':root[data-theme="dark"] ', dark)
        + "@media print {\n"
        + block(":root ", light)
        + block(":root[data-theme] ", light)
        + "}\n"
    )


def rules(theme: str) -> list[tuple[str, str]]:
    """(selector, declarations) of one theme; classes of one look share a rule."""
    name, paper, ink = THEMES[theme]
    found = [(".content-code", f"background: {paper}; color: {ink};")]
    looks: dict[str, list[str]] = {}
    for token, short in STANDARD_TYPES.items():
        look = get_style_by_name(name).style_for_token(token)
        if not short or not look["color"]:
            continue
        declared = f"color: {readable('#' + look['color'], paper)};"
        declared += " font-weight: 600;" if look["bold"] else ""
        declared += " font-style: italic;" if look["italic"] else ""
        looks.setdefault(declared, []).append(f".hl-{short}")
    return found + [
        (", ".join(f".content-code {c}" for c in classes), look) for look, classes in looks.items()
    ]


def block(prefix: str, found: list[tuple[str, str]]) -> str:
    """Rules as CSS, each selector after the prefix of a theme."""
    return "".join(
        f"{', '.join(prefix + part for part in selector.split(', '))} {{ {declared} }}\n"
        for selector, declared in found
    )


def readable(colour: str, paper: str) -> str:
    """The colour, moved towards black or white in steps of 2 % until its contrast with the paper is enough."""
    goal = 0 if luminance(paper) > 0.5 else 255
    parts = [float(int(colour[i : i + 2], 16)) for i in (1, 3, 5)]
    while contrast(as_hex(parts), paper) < CONTRAST:
        parts = [part + 0.02 * (goal - part) for part in parts]
    return as_hex(parts)


def as_hex(parts: list[float]) -> str:
    return "#" + "".join(f"{round(part):02x}" for part in parts)


def contrast(one: str, other: str) -> float:
    """WCAG 2's contrast of two colours, 1 to 21: (L1 + 0.05) / (L2 + 0.05)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """WCAG 2's relative luminance, 0 to 1."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(FILE.read_text(encoding="utf-8") != render() and f"{FILE.name} is stale; run {__file__}")
    FILE.write_text(render(), encoding="utf-8")
