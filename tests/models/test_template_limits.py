"""Templates that compute without end are stopped, before memory goes; all others render what they rendered."""

from __future__ import annotations

import importlib
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from charm_rm.errors import ModelError
from charm_rm.models.loading.registry import list_entries
from charm_rm.models.loading.tokenizers import read_tokenizer
from charm_rm.models.rendering import render_chat
from charm_rm.models.template_limits import LimitedEnvironment, limited_templates
from models.tiny_models import TEMPLATE, tiny_llama

pytestmark = pytest.mark.models
transformers = pytest.importorskip("transformers", reason="needs the [hf] extra")

_SAVED = "{% set ns = namespace(x=[1], s='aaaaaaaaaaaaaaaa', n=3) %}{% for i in range(100) %}{% set "
BOMBS = {
    "loops in loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "loops that write": "{% for i in range(99999) %}" + "x" * 100_000 + "{% endfor %}",
    "a recursive loop": "{% for i in range(9) recursive %}{{ loop(range(9)) }}{% endfor %}",
    "macros that call themselves twice": "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "a text repeated": "{{ 'a' * 10 ** 10 }}",
    "in two steps": "{% set n = 100000 %}{{ 'a' * n * n }}",
    "a list repeated": "{{ [0] * 10 ** 10 }}",
    "a range repeated": "{{ (range(99999)|list) * 999 }}",
    "a text doubled by ~": _SAVED + "ns.s = ns.s ~ ns.s %}{% endfor %}",
    "a text doubled by +": _SAVED + "ns.s = ns.s + ns.s %}{% endfor %}",
    "a number squared": _SAVED + "ns.n = ns.n * ns.n %}{% endfor %}",
    "a power": "{{ 10 ** (10 ** 9) }}",
    "lists of themselves": _SAVED + "ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
    "tuples of themselves": _SAVED + "ns.x = (ns.x, ns.x) %}{% endfor %}{{ ns.x == ns.x }}",
    "objects of themselves": _SAVED + "ns.x = {'a': ns.x, 'b': ns.x} %}{% endfor %}{{ ns.x|tojson }}",
    "dictionaries of themselves": _SAVED + "ns.x = dict(a=ns.x, b=ns.x) %}{% endfor %}{{ ns.x }}",
    "lists added": _SAVED + "ns.x = ns.x + ns.x %}{% endfor %}",
    "center, a filter": "{{ 'a'|center(10 ** 10) }}",
    "center, a method": "{{ 'a'.center(10 ** 10) }}",
    "zeros": "{{ 'a'.zfill(10 ** 10) }}",
    "tabs": "{{ 'a\t'.expandtabs(10 ** 10) }}",
    "indent": "{{ 'a\nb'|indent(10 ** 10) }}",
    "indented JSON": "{{ messages|tojson(indent=10 ** 10) }}",
    "a width in percent": "{{ '%999999999d' % 1 }}",
    "a width given": "{{ '%*d' % (9999999999, 1) }}",
    "a width in a filter": "{{ '%9999999999d'|format(1) }}",
    "a width in braces": "{{ '{:9999999999}'.format(1) }}",
    "a width in braces in braces": "{{ '{:{w}}'.format(1, w=9999999999) }}",
    "replace, a method": "{% set s = 'a' * 4000 %}{{ s.replace('a', s).replace('a', s) }}",
    "replace, a filter": "{% set s = 'a' * 4000 %}{{ s|replace('a', s)|replace('a', s) }}",
    "join, a method": "{% set s = 'a' * 4000000 %}{{ s.join(range(99999)|map('string')|list) }}",
    "join, a filter": "{% set s = 'a' * 4000000 %}{{ range(99999)|join(s) }}",
    "wrapped": "{{ ('ab' * 1000000)|wordwrap(1, true, 'x' * 100000) }}",
    "filters of filters": "{{ range(99999)|map('string')|map('center', 99999)|join|length }}",
    "a long text again and again": "{% set s = 'a' * 15000000 %}{% for i in range(99999) %}{{ s.upper()|length }}{% endfor %}",
    "lorem ipsum": "{{ lipsum(10 ** 9) }}",
}  # fmt: skip
TURNS = [{"role": "user", "content": "a\nb {c} %d"}, {"role": "assistant", "content": "yes\t" * 30}]
GOOD = {
    "ours": TEMPLATE,
    "with everything": (
        "{%- set ns = namespace(n=0, parts=[]) -%}{% macro say(m, end='.') %}[{{ m.role|upper }}] {{ m['content'] | trim }}{{ end }}{% endmacro %}"
        "{% for m in messages %}{% if loop.first %}first {% elif loop.last %}last {% endif %}{{ loop.index }}/{{ loop.length }} "
        "{{ say(m, end='!' * 3) }}{% set ns.n = ns.n + m.content|length %}{% set ns.parts = ns.parts + [m.role] %}"
        "{{ m.content.split('\n')|map('trim')|join('|') }}{{ '%05.2f' % 1.5 }}{{ '{:>8}'.format('x') }}{{ m|tojson(indent=2) }}"
        "{% for c in m.content if c != 'a' %}{{ loop.previtem }}{% break %}{% else %}none{% endfor %}{{ m.content.replace('a', 'bb') ~ '/' ~ ns.n }}"
        "{% endfor %}{{ ns.parts }}{{ messages[::-1]|map(attribute='role')|list }}{{ dict(a=1, b=[2])|tojson }}{{ range(3)|list }}{{ 2 ** 10 % 7 }}"
        "{% filter upper %}block{% endfilter %}{% set long %}{{ ns.n }} characters{% endset %}{{ long|center(40) }}"
    ),
}


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """Should a limit fail, this machine stays alive."""

    def too_long(*_: object) -> None:
        raise TimeoutError

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (used + 3 * 2**30, hard))
    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(300)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return read_tokenizer(tiny_llama(tmp_path_factory.mktemp("tiny")))


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_template_without_end_is_a_model_error(tokenizer: Any, bomb: str) -> None:
    tokenizer.chat_template = BOMBS[bomb]
    with pytest.raises(ModelError, match="more than|a width|it asks for|recursion depth") as caught:
        render_chat(tokenizer, TURNS)
    assert caught.value.fix


def good_templates() -> dict[str, str]:
    known = {entry.name: entry.template for entry in list_entries() if entry.template}
    return GOOD | known


@pytest.mark.parametrize("name", good_templates())
@pytest.mark.parametrize("turns", [1, 2, 40])
def test_all_others_render_what_they_did(name: str, turns: int) -> None:
    """Beside transformers' own environment, without charm's."""
    module: Any = importlib.import_module("transformers.utils.chat_template_utils")
    template, messages = good_templates()[name], (TURNS * 20)[:turns]
    with limited_templates():
        ours = module._cached_compile_jinja_template(template)
    theirs = module._cached_compile_jinja_template(template)
    assert isinstance(ours.environment, LimitedEnvironment)
    assert not isinstance(theirs.environment, LimitedEnvironment)
    given: dict[str, Any] = {
        "messages": messages,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "add_generation_prompt": True,
    }
    with limited_templates():
        assert ours.render(**given) == theirs.render(**given)


def test_a_long_conversation_is_far_from_the_limits(tokenizer: Any) -> None:
    tokenizer.chat_template = TEMPLATE
    long = [{"role": m["role"], "content": "word " * 2000} for m in TURNS * 100]  # 2 MB of text
    assert len(render_chat(tokenizer, long)) > 2_000_000
