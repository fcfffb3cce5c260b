"""Colours of the page and its charts, each role once, for light and for dark.

Charts are drawn in the light colours. In the page every colour becomes a CSS variable, so that one
drawing serves both themes; that is why no two roles may share a light colour.
"""

from __future__ import annotations

# role -> (light, dark). Text roles reach 4.5:1 on `paper`, marks 3:1, in both themes.
_COLOURS: dict[str, tuple[str, str]] = {
    "paper": ("#fcfbf8", "#15181b"),
    "card": ("#ffffff", "#1c2024"),
    "ink": ("#1d2226", "#e8e6e1"),
    "muted": ("#5a616a", "#a6adb6"),
    "rule": ("#e4e1d9", "#2e3338"),
    "grid": ("#ece9e2", "#262b30"),
    "axis": ("#8b8f95", "#7f868e"),
    "accent": ("#22665f", "#7fcabb"),
    "over": ("#b5481b", "#f0a074"),
    "under": ("#1d6794", "#7fc0ea"),
    "even": ("#868c94", "#858d96"),
    "before": ("#9a958b", "#8d8a83"),
    "kept": ("#5f9d92", "#5fa698"),
    "flipped": ("#c8803a", "#dd9a55"),
    "tied": ("#b9b5ab", "#6d6f72"),
    "dropped": ("#d9d5cb", "#4a4e52"),
    "warn": ("#7a5200", "#e9c46a"),
    "warn-paper": ("#fdf4dc", "#2b2413"),
}

# Signed mismatch, under-valued (blue) to over-valued (orange), even in the middle.
_DIVERGING: tuple[tuple[str, str], ...] = (
    ("#14557f", "#7fc6f5"),
    ("#3c7ba5", "#5ea3cf"),
    ("#719fbf", "#467fa5"),
    ("#a5c2d6", "#345f7b"),
    ("#d3e0e9", "#274253"),
    ("#f1efea", "#24292d"),
    ("#f4dccb", "#4d3426"),
    ("#e9b795", "#79492f"),
    ("#d98c5e", "#a8623a"),
    ("#c4622e", "#d28050"),
    ("#9a3a10", "#f8a678"),
)
_COLOURS |= {f"d{i}": pair for i, pair in enumerate(_DIVERGING)}

LIGHT = {role: pair[0] for role, pair in _COLOURS.items()}
SCALE = [light for light, _ in _DIVERGING]
_ROLE_OF = {light: role for role, light in LIGHT.items()}


def variable(colour: str) -> str:
    """The CSS variable of a light colour; a colour of no role is returned as it is."""
    role = _ROLE_OF.get(colour.lower())
    return f"var(--{role})" if role else colour


def css_variables() -> str:
    """Every role as a CSS variable: the system's theme unless the reader chose one; light on paper."""
    light = _declarations(0) + "color-scheme:light;"
    dark = _declarations(1) + "color-scheme:dark;"
    return (
        f":root{{{light}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
        f':root[data-theme="light"]{{{light}}}\n:root[data-theme="dark"]{{{dark}}}\n'
        f"@media print{{:root,:root[data-theme]{{{light}}}}}\n"
    )


def _declarations(theme: int) -> str:
    return "".join(f"--{role}:{pair[theme]};" for role, pair in _COLOURS.items())
