"""Code with its syntax marked by classes (``hl-k``: a keyword); their colours are in ``static/code.css``."""

from __future__ import annotations

import time
from typing import Any

from markupsafe import escape
from pygments import lexers
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

PREFIX = "hl-"
# A lexer is made of regular expressions, and some (C#, C) take seconds for a few thousand lines of nothing. Between two tokens the clock
# is read: code that takes longer is shown without colours. No single token may take long, so code and lines are bounded, too.
LONGEST_CODE = 10_000
LONGEST_LINE = 1_000
SECONDS = 0.15

# The languages of answers, by any of their names. Few lexers, all tried on hostile code.
LANGUAGES = frozenset(
    [
        "bash",
        "c",
        "c++",
        "c#",
        "clojure",
        "cmake",
        "console",
        "csharp",
        "css",
        "cpp",
        "dart",
        "diff",
        "docker",
        "dockerfile",
        "elixir",
        "elm",
        "erlang",
        "f#",
        "fortran",
        "fsharp",
        "go",
        "golang",
        "graphql",
        "groovy",
        "haskell",
        "html",
        "http",
        "ini",
        "java",
        "javascript",
        "js",
        "json",
        "jsx",
        "julia",
        "kotlin",
        "latex",
        "lisp",
        "lua",
        "makefile",
        "markdown",
        "matlab",
        "md",
        "mysql",
        "nginx",
        "nix",
        "objective-c",
        "objectivec",
        "ocaml",
        "octave",
        "perl",
        "php",
        "plpgsql",
        "postgresql",
        "powershell",
        "prolog",
        "protobuf",
        "py",
        "python",
        "python3",
        "r",
        "racket",
        "rb",
        "react",
        "ruby",
        "rs",
        "rust",
        "sass",
        "scala",
        "scheme",
        "scss",
        "sh",
        "shell",
        "solidity",
        "sql",
        "sqlite3",
        "swift",
        "terraform",
        "tex",
        "text",
        "toml",
        "ts",
        "tsx",
        "typescript",
        "vb.net",
        "verilog",
        "vhdl",
        "vim",
        "vue",
        "xml",
        "yaml",
        "yml",
        "zig",
        "zsh",
    ]
)


def highlighted(code: str, language: str) -> str:
    """The code as HTML: spans with classes where the language is known and the code is soon read, else plain. No text is changed."""
    lexer = _lexer(language)
    if lexer is None or len(code) > LONGEST_CODE or max(map(len, code.split("\n"))) > LONGEST_LINE:
        return str(escape(code))
    spans, texts, end = [], [], time.thread_time() + SECONDS
    for kind, text in lexer.get_tokens(code):
        spans.append(_span(kind, text))
        texts.append(text)
        if time.thread_time() > end:
            return str(escape(code))
    # Some lexers add a line end, or lose one.
    return "".join(spans) if "".join(texts) == code else str(escape(code))


def _span(kind: Any, text: str) -> str:
    while kind not in STANDARD_TYPES:
        kind = kind.parent
    name = STANDARD_TYPES[kind]
    safe = str(escape(text))
    return f'<span class="{PREFIX}{name}">{safe}</span>' if name and text.strip() else safe


def _lexer(language: str) -> Any:
    if language.lower() not in LANGUAGES:
        return None
    try:
        return lexers.get_lexer_by_name(language.lower(), stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None
