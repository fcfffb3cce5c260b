"""What features read: texts brought to one form, and what several features share, computed once.

- Canonically equivalent Unicode is the same text: all is in normal form C. Line ends are ``\\n``.
- A *word* is a run of letters, marks and digits, apostrophes within it included (``don't``, ``3rd``, ``naïve``). Scripts that put no
  space between words (Han, kana, Thai, Lao, Khmer, Burmese) count one word a letter with its marks.
- *Prose* is the response without fenced code: Markdown within code is none. A fence opens by a line of three or more backticks or tildes
  (indented or not) and closes by a line of nothing else, or by the end of the text.

Every pattern of this package takes linear time: Rust's regex has no backtracking, and none of ours looks far ahead of a
match that it then gives up (``tests/features/test_growth.py``).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence, Set
from functools import cache

import polars as pl

from ..errors import SchemaError
from ..protocols import Prompt

# Columns that expressions of features may read, each made only where one does.
PROMPT = pl.col("prompt")  # what the user said
RESPONSE = pl.col("response")
PROSE = pl.col("prose")  # without fenced code, a line end before it: every line of it begins with one
RARE = pl.col("rare")  # the response with every run of ASCII as one space
WORDS = pl.col("words")  # list: words of the response, lower case
N_PROSE_WORDS = pl.col("n_prose_words")  # how many words the prose has
PROMPT_WORDS = pl.col("prompt_words")  # list: words of the prompt, lower case
HEAD = pl.col("head")  # the first characters of the response, white space before them aside
TAIL = pl.col("tail")  # the last ones

N_HEAD, N_TAIL = 200, 400

_SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}ー\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_LETTER = rf"[\w--[_{_SPACELESS}]]"
WORD = rf"{_LETTER}+(?:['’]{_LETTER}+)*|[{_SPACELESS}&&\w]\p{{M}}*"
_CODE = (
    r"(?m)^[ \t]*(?:"
    r"```+[^`\n]*$(?s:.*?)(?:\n[ \t]*```+[ \t]*$|\z)"
    r"|~~~+[^\n]*$(?s:.*?)(?:\n[ \t]*~~~+[ \t]*$|\z))"
)


def prepare(frame: pl.DataFrame, wanted: Set[str]) -> pl.DataFrame:
    """The columns ``wanted`` of those above, from a frame with the texts ``prompt`` and ``response``."""
    frame = frame.select(pl.col(name).map_batches(_uniform, return_dtype=pl.String) for name in frame.columns)
    response = frame["response"]
    fenced = _has_fence(response)
    made: dict[str, Callable[[], pl.Series]] = {
        "prompt": lambda: frame["prompt"],
        "response": lambda: response,
        "prose": lambda: _lines(_where(fenced, response, _without_code)),
        "rare": lambda: _rare(response),
        "words": lambda: words_of(response),
        "prompt_words": lambda: words_of(frame["prompt"]),
        "head": lambda: response.str.strip_chars_start().str.head(N_HEAD),
        "tail": lambda: response.str.strip_chars_end().str.tail(N_TAIL),
    }
    made["n_prose_words"] = lambda: _where(
        fenced, column("words").list.len(), lambda _: _n_words(response, fenced)
    )

    @cache
    def column(name: str) -> pl.Series:
        return made[name]().alias(name)

    return pl.DataFrame([column(name) for name in made if name in wanted])


def words_of(texts: pl.Series) -> pl.Series:
    """Lists of the words of each text, in lower case, in order."""
    return texts.str.to_lowercase().str.extract_all(WORD)


def text_frame(prompts: Sequence[Prompt], responses: Sequence[str]) -> pl.DataFrame:
    """Prompts and responses as columns of text.

    Raises:
        SchemaError: different numbers of them, or one that is no text.
    """
    if len(prompts) != len(responses):
        raise SchemaError(
            f"{len(prompts)} prompts and {len(responses)} responses",
            mend="give one prompt for every response",
        )
    for row, response in enumerate(responses):
        if not isinstance(response, str):
            raise SchemaError(
                f"a response should be text, found {response!r:.80}",
                where=f"responses, row {row}",
                mend="give every response as text; it may be empty",
            )
    return pl.DataFrame(
        [_column("prompt", [asked(p) for p in prompts]), _column("response", list(responses))]
    )


def asked(prompt: Prompt) -> str:
    """What the user said: a text as it is, of messages the user's turns (all turns, where none is the user's)."""
    if isinstance(prompt, str):
        return prompt
    turns = [m["content"] for m in prompt if m["role"] == "user"] or [m["content"] for m in prompt]
    return "\n\n".join(turns)


def asked_column(prompts: pl.Series) -> pl.Series:
    """:func:`asked` of every prompt of a table."""
    if prompts.dtype == pl.String:
        return prompts
    return pl.Series(prompts.name, [asked(p) for p in prompts.to_list()], dtype=pl.String)


# --- details ------------------------------------------------------------------------------------


def _column(name: str, texts: list[str]) -> pl.Series:
    """A column of texts; halves of characters, which only Python's text can hold, become the replacement character."""
    try:
        return pl.Series(name, texts, dtype=pl.String)
    except UnicodeEncodeError:
        whole = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
        return pl.Series(name, whole, dtype=pl.String)


def _uniform(texts: pl.Series) -> pl.Series:
    """Normal form C, and ``\\n`` at the ends of lines."""
    texts = _where(_is_rare(texts), texts, _normal_form)
    return _where(texts.str.contains("\r", literal=True), texts, _line_ends)


def _normal_form(texts: pl.Series) -> pl.Series:
    """Checked first: nearly all texts are in it, and the check is far quicker than the form itself."""
    changed = {
        row: unicodedata.normalize("NFC", text)
        for row, text in enumerate(texts.to_list())
        if not unicodedata.is_normalized("NFC", text)
    }
    return texts.scatter(list(changed), list(changed.values())) if changed else texts


def _line_ends(texts: pl.Series) -> pl.Series:
    return texts.str.replace_all(r"\r\n?", "\n")


def _is_rare(texts: pl.Series) -> pl.Series:
    """Whether a text has characters beyond ASCII."""
    return texts.str.len_bytes() != texts.str.len_chars()


def _rare(texts: pl.Series) -> pl.Series:
    blank = pl.repeat(" ", len(texts), dtype=pl.String, eager=True)
    rows = _is_rare(texts)
    return _where(rows, blank, lambda _: texts.filter(rows).str.replace_all(r"[\x00-\x7F]+", " "))


def _has_fence(texts: pl.Series) -> pl.Series:
    return texts.str.contains("```", literal=True) | texts.str.contains("~~~", literal=True)


def _without_code(texts: pl.Series) -> pl.Series:
    return texts.str.replace_all(_CODE, "")


def _n_words(texts: pl.Series, fenced: pl.Series) -> pl.Series:
    return _without_code(texts.filter(fenced)).str.to_lowercase().str.count_matches(WORD)


def _lines(texts: pl.Series) -> pl.Series:
    return pl.select(pl.lit("\n") + texts).to_series()


def _where(rows: pl.Series, texts: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """The texts, those of ``rows`` changed; the change is computed for them alone."""
    if not rows.any():
        return texts
    if rows.all():
        return change(texts).alias(texts.name)
    parts = [texts.filter(~rows), change(texts.filter(rows)).alias(texts.name)]
    order = pl.concat([(~rows).arg_true(), rows.arg_true()]).arg_sort()
    return pl.concat(parts).gather(order)
