"""LaTeX as MathML, which browsers draw by themselves: no script, no font from elsewhere.

latex2mathml converts. What it returns is parsed and built anew from a list of elements and attributes, so nothing else reaches the
page. A formula that it does not understand, or that would lose a part, hide one or cover its neighbours, is shown as its source.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from xml.etree import ElementTree

from latex2mathml.converter import convert
from markupsafe import escape

from .characters import shown

LONGEST_FORMULA = 2_000
DEEPEST_FORMULA = 20

_ELEMENTS = frozenset(
    [
        "math",
        "mrow",
        "mi",
        "mn",
        "mo",
        "mtext",
        "mspace",
        "mfrac",
        "msqrt",
        "mroot",
        "msub",
        "msup",
        "msubsup",
        "munder",
        "mover",
        "munderover",
        "mtable",
        "mtr",
        "mtd",
        "mstyle",
        "menclose",
    ]
)
# How many children these must have; with others a browser shows an error, or drops some.
_CHILDREN = {
    "mfrac": 2,
    "mroot": 2,
    "msub": 2,
    "msup": 2,
    "munder": 2,
    "mover": 2,
    "msubsup": 3,
    "munderover": 3,
    "math": 1,
}
# Attributes and the values that they may have. Of lengths: up to 4em, none below 0 (text would cover its neighbours).
_LENGTH = r"(?:[0-3](?:\.\d+)?|0?\.\d+|4)em"
_ATTRIBUTES = {
    "display": "block|inline",
    **dict.fromkeys(
        ("stretchy", "fence", "separator", "accent", "movablelimits", "displaystyle"), "true|false"
    ),
    "form": "prefix|infix|postfix",
    "scriptlevel": r"\+?[0-3]",
    **dict.fromkeys(("width", "minsize", "maxsize", "lspace", "rspace"), _LENGTH),
    "linethickness": f"0|{_LENGTH}",
    "columnalign": "left|center|right",
}
# Looks that browsers do not have, or that a rater need not see: the content stays.
_DROPPED = frozenset(
    [
        "mathcolor",
        "mathbackground",
        "columnlines",
        "rowlines",
        "frame",
        "framespacing",
        "columnspacing",
        "rowspacing",
        "linebreak",
        "class",
        "height",
        "depth",
        "symmetric",
        "largeop",
        "mathsize",
    ]
)
# Environments of displayed equations are read as one that latex2mathml knows.
_ENVIRONMENTS = re.compile(
    r"\\(begin|end)\{(?:aligned|align\*?|gathered|gather\*?|split|eqnarray\*?|multline\*?)\}"
)
_EQUATION = re.compile(r"\\(?:begin|end)\{(?:equation|displaymath|math)\*?\}")
# Macros (a short one can expand without end), comments (what follows would be hidden) and links.
_REFUSED = re.compile(
    r"(?<!\\)%|\\(?:\w*def|let|(?:re)?new\w+|DeclareMathOperator|href|url|style|phantom|hphantom|vphantom)(?![a-z])"
)
# In the source, what is an instruction and not content: commands, names of environments and their columns, colours and lengths.
_INSTRUCTIONS = re.compile(
    r"\\(?:begin|end)\{[^{}]*\}(?:\{[lcr|@ ]*\})?|\\(?:text)?color\{[^{}]*\}|\\[hm]s(?:pace|kip)\{[^{}]*\}|\\[a-zA-Z]+|\\."
)
_ALPHABETS = {
    "bold": "MATHEMATICAL BOLD",
    "italic": "MATHEMATICAL ITALIC",
    "bold-italic": "MATHEMATICAL BOLD ITALIC",
    "double-struck": "MATHEMATICAL DOUBLE-STRUCK",
    "script": "MATHEMATICAL SCRIPT",
    "fraktur": "MATHEMATICAL FRAKTUR",
    "sans-serif": "MATHEMATICAL SANS-SERIF",
    "monospace": "MATHEMATICAL MONOSPACE",
}


class NotDrawn(Exception):
    """This formula is to be shown as its source."""


@lru_cache(maxsize=2048)
def as_mathml(source: str, *, display: bool) -> str | None:
    """The formula as a ``<math>`` element; None where it is better shown as its source. ``display``: on a line of its own."""
    if len(source) > LONGEST_FORMULA or _depth(source) > DEEPEST_FORMULA or _REFUSED.search(source):
        return None
    try:
        xml = convert(_known_environments(source), display="block" if display else "inline")
        tree = ElementTree.fromstring(re.sub(r"&(?!#x?[0-9A-Fa-f]+;)", "&amp;", xml))
        built = _built(tree)
    except Exception:
        return None
    return built if _complete(source, "".join(tree.itertext())) else None


def _depth(source: str) -> int:
    """How deep braces and ``\\left`` nest, at most; an ample count, as latex2mathml calls itself for each."""
    depth = deepest = 0
    for found in re.finditer(r"\\(?:begin|left|end|right)(?![a-zA-Z])|[{}\[\]^_]|\\sqrt|\\frac", source):
        closes = found[0] in ("}", "]", "\\end", "\\right")
        depth = max(depth - 1, 0) if closes else depth + (found[0] in ("{", "[", "\\begin", "\\left"))
        deepest = max(deepest, depth)
    return deepest


def _known_environments(source: str) -> str:
    """The formula in environments that latex2mathml knows; several lines without one are aligned."""
    source = _EQUATION.sub("", _ENVIRONMENTS.sub(r"\\\1{align*}", source)).strip()
    if "\\\\" in source and "\\begin" not in source:
        return f"\\begin{{align*}}{source}\\end{{align*}}"
    return source


def _built(element: ElementTree.Element) -> str:
    """The element and all in it, from the lists alone."""
    tag = element.tag.rpartition("}")[2]
    children = list(element)
    if tag not in _ELEMENTS or len(children) != _CHILDREN.get(tag, len(children)):
        raise NotDrawn(tag)
    if children and (element.text or "").strip():
        raise NotDrawn("text beside elements")
    inside = "".join(map(_built, children)) if children else str(escape(_in_alphabet(element)))
    if tag == "menclose":
        look = "boxed" if element.get("notation") == "box" else "struck"
        return f'<mrow class="content-{look}">{inside}</mrow>'
    return f"<{tag}{_attributes(element)}>{inside}</{tag}>"


def _attributes(element: ElementTree.Element) -> str:
    kept = []
    for name, value in element.attrib.items():
        if name in _DROPPED or name in ("mathvariant", "notation"):
            continue
        if name not in _ATTRIBUTES or not re.fullmatch(_ATTRIBUTES[name], value):
            raise NotDrawn(f"{name}={value}")
        # Browsers align cells by CSS alone.
        kept.append(f' class="content-{value}"' if name == "columnalign" else f' {name}="{value}"')
    if element.get("mathvariant") == "normal":
        kept.append(' mathvariant="normal"')
    return "".join(kept)


def _in_alphabet(element: ElementTree.Element) -> str:
    """The element's text; where an alphabet is asked for, in that alphabet's letters (browsers know no other way)."""
    text = shown(element.text or "")
    if "\\" in text:
        raise NotDrawn("a command that is not known")
    alphabet = _ALPHABETS.get(element.get("mathvariant", ""))
    return "".join(_letter(alphabet, c) for c in text) if alphabet else text


def _letter(alphabet: str, character: str) -> str:
    if not (character.isascii() and character.isalnum()):
        return character
    kind = "DIGIT" if character.isdigit() else "CAPITAL" if character.isupper() else "SMALL"
    name = unicodedata.name(character).rpartition(" ")[2]
    for prefix in (alphabet, alphabet.removeprefix("MATHEMATICAL ").replace("FRAKTUR", "BLACK-LETTER")):
        try:
            return unicodedata.lookup(f"{prefix} {kind} {name}")
        except KeyError:
            continue
    return character


def _complete(source: str, text: str) -> bool:
    """Whether every letter and digit of the source that is no instruction is in the text, as often."""
    wanted = Counter(c for c in _plain(_INSTRUCTIONS.sub(" ", source)) if c.isalnum())
    return wanted <= Counter(_plain(text))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text)
