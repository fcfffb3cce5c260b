"""Code with its syntax marked by classes (``hl-k``: a keyword); their colours are in ``static/code.css``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from markupsafe import escape
from pygments import lexers
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

PREFIX = "hl-"
# A lexer is made of regular expressions; on code larger than this, or with longer lines, one could keep the server busy.
LONGEST_CODE = 20_000
LONGEST_LINE = 1_000

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
    """The code as HTML: spans with classes where the language is known and the code of bearable size, else plain. No text is changed."""
    lexer = _lexer(language)
    if lexer is None or len(code) > LONGEST_CODE or max(map(len, code.split("\n"))) > LONGEST_LINE:
        return str(escape(code))
    return "".join(_spans(lexer.get_tokens(code)))


def _spans(tokens: Iterable[tuple[Any, str]]) -> Iterable[str]:
    for kind, text in tokens:
        while kind not in STANDARD_TYPES:
            kind = kind.parent
        name = STANDARD_TYPES[kind]
        yield (
            f'<span class="{PREFIX}{name}">{escape(text)}</span>'
            if name and text.strip()
            else str(escape(text))
        )


def _lexer(language: str) -> Any:
    if language.lower() not in LANGUAGES:
        return None
    try:
        return lexers.get_lexer_by_name(language.lower(), stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None
