"""A key is found in every form in which a server may echo it, and nothing else is taken for it."""

from __future__ import annotations

import logging
import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.remote.secret import HIDDEN, WITHHELD, Secret, discreet_logs, without_runs
from remote.key_forms import FORMS, coded, found_in

KEY = "sk-canary+8f3b/1c2d9e7a6f50=="
KEYS = st.tuples(
    st.text(string.ascii_letters + string.digits, min_size=12, max_size=50), st.text("-_.+/=~!", max_size=5)
).map(lambda parts: f"{parts[0][:5]}{parts[1]}{parts[0][5:]}")


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_in_no_form_it_is_shown(form: Callable[[str], str]) -> None:
    secret, echoed = Secret(KEY), form(KEY)
    shown = secret.hidden(f"invalid key '{echoed}' given")
    assert echoed not in shown
    assert HIDDEN in shown or shown == WITHHELD
    assert found_in(echoed, KEY)
    assert not found_in(shown, KEY)


@given(
    key=KEYS,
    form=st.sampled_from(sorted(FORMS)),
    before=st.text(max_size=9),
    after=st.text(max_size=9),
)
def test_of_any_key(key: str, form: str, before: str, after: str) -> None:
    shown = Secret(key).hidden(before + FORMS[form](key) + after)
    assert key not in shown
    assert FORMS[form](key) not in shown


def test_what_is_no_key_stays() -> None:
    said = "This model's maximum context length is 4096 tokens; see https://example.org/a%20b?x=1&y=2 (code \\u00e9)"
    assert Secret(KEY).hidden(said) == said
    assert Secret(None).hidden(KEY) == KEY
    assert not Secret(KEY).gives_away("org/reward-model-8B")


@pytest.mark.parametrize("placeholder", ["", "x", "EMPTY", "none"])
def test_placeholders_are_no_secrets(placeholder: str) -> None:
    assert Secret(placeholder).hidden(f"say {placeholder} and [[A]]") == f"say {placeholder} and [[A]]"


def test_a_short_key_is_hidden_whole_but_names_no_model() -> None:
    assert Secret("ollama").hidden("key ollama is wrong, oll is not") == f"key {HIDDEN} is wrong, oll is not"
    assert not Secret("ollama").gives_away("ollama/llama3")


def test_it_shows_nothing_of_itself() -> None:
    assert KEY not in repr(Secret(KEY))


def test_runs_are_taken_out() -> None:
    assert without_runs("abcdefgh and abc", "xxabcdefghxx", 4) == f"{HIDDEN} and abc"


def test_logs_of_the_http_library_pass_but_for_the_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore.http11"):
        with discreet_logs(Secret(KEY)):
            logging.getLogger(name).debug("headers %r", [(b"x-echo", coded(f"user:{KEY}").encode())])
            logging.getLogger(name).debug("plain %s", "words")
        logging.getLogger(name).debug("afterwards")
    assert [record.getMessage() for record in caplog.records] == ["plain words", "afterwards"] * 2
