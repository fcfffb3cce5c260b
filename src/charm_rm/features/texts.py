"""What features read: texts brought to one form, and what several features share, computed once.

- Canonically equivalent Unicode is the same text: all is in normal form C. Line ends are ``\\n``.
- A *word* is a run of letters, marks and digits, apostrophes within it included (``don't``, ``3rd``, ``naïve``). Scripts that put no
  space between words (Han, kana, Thai, Lao, Khmer, Burmese) count one word a letter with its marks.
- *Prose* is the response without fenced code (:mod:`.code`): Markdown within code is none.

Every pattern of this package takes linear time: Rust's regex has no backtracking, and none of ours looks far ahead of a
match that it then gives up (``tests/features/test_growth.py``).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence, Set
from functools import cached_property

import polars as pl

from ..errors import SchemaError, counted
from ..protocols import Prompt
from .code import split_code

# Columns that expressions of features may read, each made only where one does.
PROMPT = pl.col("prompt")  # what the user said
RESPONSE = pl.col("response")
PROSE = pl.col(
    "prose"
)  # without fenced code or white space around it; every line begins and ends with a line end
RARE = pl.col("rare")  # the response with every run of ASCII as one space
WORDS = pl.col("words")  # list: words of the response, lower case
N_PROSE_WORDS = pl.col("n_prose_words")  # how many words the prose has
N_CODE_BLOCKS = pl.col("n_code_blocks")
OPEN_CODE = pl.col("open_code")  # whether the last block of code is left open
PROMPT_WORDS = pl.col("prompt_words")  # list: words of the prompt, lower case
HEAD = pl.col(
    "head"
)  # the first characters of the response, white space before them aside, apostrophes as "'"
TAIL = pl.col("tail")  # the last ones, likewise

N_HEAD, N_TAIL = 200, 400

_SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}ー\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_LETTER = rf"[\w--[_{_SPACELESS}]]"
WORD = rf"{_LETTER}+(?:['’]{_LETTER}+)*|[{_SPACELESS}&&\w]\p{{M}}*"
TOKEN = rf"[{_SPACELESS}&&\w]\p{{M}}*|[^\s{_SPACELESS}]+"
_SPLIT = {"prose": pl.String, "n_blocks": pl.Int64, "is_open": pl.Boolean}


def prepare(frame: pl.DataFrame, wanted: Set[str]) -> pl.DataFrame:
    """The columns ``wanted`` of those above, from a frame with the texts ``prompt`` and ``response``."""
    texts = _Texts(frame)
    return pl.DataFrame([getattr(texts, name).alias(name) for name in sorted(wanted)])


class _Texts:
    """Each column is made when it is first asked for, once."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    @cached_property
    def prompt(self) -> pl.Series:
        return _uniform(self._frame["prompt"])

    @cached_property
    def response(self) -> pl.Series:
        return _uniform(self._frame["response"])

    @cached_property
    def words(self) -> pl.Series:
        return words_of(self.response)

    @cached_property
    def prompt_words(self) -> pl.Series:
        return words_of(self.prompt)

    @cached_property
    def prose(self) -> pl.Series:
        bare = _where(self._fenced, self.response, lambda _: self._split["prose"]).str.strip_chars()
        return pl.select(pl.lit("\n") + bare + pl.lit("\n")).to_series()

    @cached_property
    def n_prose_words(self) -> pl.Series:
        n_words = self.words.list.len()
        return _where(self._fenced, n_words, lambda _: words_of(self._split["prose"]).list.len())

    @cached_property
    def n_code_blocks(self) -> pl.Series:
        none = pl.repeat(0, self._frame.height, dtype=pl.Int64, eager=True)
        return _where(self._fenced, none, lambda _: self._split["n_blocks"])

    @cached_property
    def open_code(self) -> pl.Series:
        closed = pl.repeat(False, self._frame.height, dtype=pl.Boolean, eager=True)
        return _where(self._fenced, closed, lambda _: self._split["is_open"])

    @cached_property
    def rare(self) -> pl.Series:
        blank = pl.repeat(" ", self._frame.height, dtype=pl.String, eager=True)
        rows = _is_rare(self.response)
        return _where(rows, blank, lambda _: self.response.filter(rows).str.replace_all(r"[\x00-\x7F]+", " "))

    @cached_property
    def head(self) -> pl.Series:
        return _plain(self.response.str.strip_chars_start().str.head(N_HEAD))

    @cached_property
    def tail(self) -> pl.Series:
        return _plain(self.response.str.strip_chars_end().str.tail(N_TAIL))

    @cached_property
    def _fenced(self) -> pl.Series:
        """Whether a text may have code blocks: few have, and only those are looked at line by line."""
        return self.response.str.contains("```", literal=True) | self.response.str.contains(
            "~~~", literal=True
        )

    @cached_property
    def _split(self) -> pl.DataFrame:
        """Of the fenced texts alone: prose, blocks, and whether the last is open."""
        split = [split_code(text) for text in self.response.filter(self._fenced).to_list()]
        return pl.DataFrame(split, schema=_SPLIT, orient="row")


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
            f"{counted(len(prompts), 'prompt')} and {counted(len(responses), 'response')}",
            fix="give one prompt for every response",
        )
    for row, response in enumerate(responses):
        if not isinstance(response, str):
            raise SchemaError(
                f"a response should be text, found {response!r:.80}",
                where=f"responses, row {row}",
                fix="give every response as text; it may be empty",
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
    content, role = pl.element().struct.field("content"), pl.element().struct.field("role")
    users = pl.col(prompts.name).list.eval(content.filter(role == "user"))
    everyones = pl.col(prompts.name).list.eval(content)
    turns = pl.when(users.list.len() > 0).then(users).otherwise(everyones)
    return prompts.to_frame().select(turns.list.join("\n\n")).to_series()


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


def _plain(texts: pl.Series) -> pl.Series:
    return texts.str.replace_all("’", "'", literal=True)


def _is_rare(texts: pl.Series) -> pl.Series:
    """Whether a text has characters beyond ASCII."""
    return texts.str.len_bytes() != texts.str.len_chars()


def _where(rows: pl.Series, texts: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """The texts, those of ``rows`` changed; the change is computed for them alone."""
    if not rows.any():
        return texts
    if rows.all():
        return change(texts).alias(texts.name)
    parts = [texts.filter(~rows), change(texts.filter(rows)).alias(texts.name)]
    order = pl.concat([(~rows).arg_true(), rows.arg_true()]).arg_sort()
    return pl.concat(parts).gather(order)
