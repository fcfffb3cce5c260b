"""Chat templates under limits: a program of the model's author, which may loop, repeat and write, but not without end.

Transformers compiles templates in Jinja's sandbox, which keeps them from the system, not from computing for ever: it bounds one
``range``, and neither loops within loops nor ``'a' * 10 ** 10``. While :func:`limited_templates` holds, it compiles them in
:class:`LimitedEnvironment`, a stricter sandbox: every turn of a loop, every call and every piece of text is counted, and what
would grow a text or a list beyond :data:`LONGEST` is refused before it is made.
"""

from __future__ import annotations

import contextlib
import functools
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

# A long conversation of a thousand turns takes some ten thousand steps. A step is a turn of a loop, a call, or 16 characters written.
STEPS = 1_000_000
# Characters of a text; parts of a list, with those of its parts; bits of a whole number.
LONGEST, MOST_PARTS, MOST_BITS = 16_000_000, 100_000, 100_000
_CHARACTERS = 16
_WIDEST, _DEEPEST_INDENT = 1_000_000, 100
_WHOLE = (str, bytes, list, tuple, dict)
_MODULE, _CLASS = "transformers.utils.chat_template_utils", "ImmutableSandboxedEnvironment"
# `%9999999d` and `{:9999999}`, or a width that comes from elsewhere.
_WIDTH = re.compile(r"\d{6}|%[-+ #0]*\*|:[^{}]*\{")


class TemplateLimit(SecurityError):
    """A template that takes too many steps, or makes too much."""


class _Steps(threading.local):
    left = sys.maxsize


_steps = _Steps()


@contextlib.contextmanager
def limited_templates() -> Iterator[None]:
    """Let transformers compile templates with limits, and give what is rendered in the block so many steps."""
    module: Any = sys.modules[_MODULE] if _MODULE in sys.modules else __import__(_MODULE, fromlist=[_CLASS])
    before, left = getattr(module, _CLASS, None), _steps.left
    if before is not None:
        setattr(module, _CLASS, LimitedEnvironment)
    _steps.left = STEPS
    try:
        yield
    finally:
        _steps.left = left
        if before is not None and before is not LimitedEnvironment:
            setattr(module, _CLASS, before)


class LimitedEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, in which templates are counted while they run."""

    intercepted_binops = frozenset(["+", "*", "**", "%"])

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.filters = _Filters(self.filters)
        own: dict[str, Callable[..., Any]] = {
            "charm_turns": _turns,
            "charm_text": _text,
            "charm_parts": _parts,
        }
        dict.update(self.filters, own)  # as they are

    def _generate(self, source: nodes.Template, *arguments: Any, **options: Any) -> str:
        return super()._generate(_Counting().visit(source), *arguments, **options)

    def wrap_str_format(self, value: Any) -> Any:
        """``'...'.format``, which Jinja wraps in a formatter of its own."""
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None

        @functools.wraps(wrapped)
        def limited(*args: Any, **kwargs: Any) -> Any:
            _check_format(str(value.__self__))
            return wrapped(*args, **kwargs)

        return limited

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        _check_operands(operator, left, right)
        made = super().call_binop(context, operator, left, right)
        return _parts(made) if isinstance(made, list | tuple) else made

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        _take(1)
        _check_widths(args, kwargs, most=_WIDEST)
        owner = getattr(__obj, "__self__", None)
        if isinstance(owner, str):
            _check_texts(__obj.__name__, owner, *args, **kwargs)
        made = super().call(__context, __obj, *args, **kwargs)
        return _checked(made)


class _Counting(NodeTransformer):
    """Put a count around everything that a template loops over, writes, joins and lists."""

    def visit_For(self, node: nodes.For, *arguments: Any) -> nodes.Node:
        fixed = sum(len(data.data) for data in node.find_all(nodes.TemplateData))
        self.generic_visit(node, *arguments)
        weight = nodes.Const(1 + fixed // _CHARACTERS)
        node.iter = _filtered(node.iter, "charm_turns", weight)
        return node

    def visit_Output(self, node: nodes.Output, *arguments: Any) -> nodes.Node:
        self.generic_visit(node, *arguments)
        node.nodes = [
            n if isinstance(n, nodes.TemplateData) else _filtered(n, "charm_text") for n in node.nodes
        ]
        return node

    def visit_Concat(self, node: nodes.Concat, *arguments: Any) -> nodes.Node:
        self.generic_visit(node, *arguments)
        return _filtered(node, "charm_text")

    def visit_List(self, node: nodes.List, *arguments: Any) -> nodes.Node:
        self.generic_visit(node, *arguments)
        return _filtered(node, "charm_parts")

    visit_Dict = visit_List

    def visit_Tuple(self, node: nodes.Tuple, *arguments: Any) -> nodes.Node:
        self.generic_visit(node, *arguments)
        return _filtered(node, "charm_parts") if node.ctx == "load" else node


class _Filters(dict[str, Any]):
    """Filters that are checked, those of transformers too, which are put in later."""

    def __init__(self, filters: dict[str, Any]) -> None:
        super().__init__()
        for name, function in filters.items():
            self[name] = function

    def __setitem__(self, name: str, function: Callable[..., Any]) -> None:
        @functools.wraps(function)  # with the marks that say what Jinja passes first
        def limited(*args: Any, **kwargs: Any) -> Any:
            given = list(args)
            _check_widths(given, kwargs, most=_DEEPEST_INDENT if name == "tojson" else _WIDEST)
            if name == "join":
                given = [
                    list(a) if isinstance(a, Iterable) and not isinstance(a, _WHOLE) else a for a in given
                ]
                _check_join(given, kwargs)
            elif texts := [i for i, a in enumerate(given) if isinstance(a, str)]:
                _check_texts(name, *given[texts[0] :], **kwargs)
            return _checked(function(*given, **kwargs))

        super().__setitem__(name, limited)


# --- what is counted ------------------------------------------------------------------------------


def _take(steps: int) -> None:
    _steps.left -= steps
    if _steps.left < 0:
        raise TemplateLimit(f"it takes more than {STEPS:,} steps")


def _turns(value: Any, weight: int) -> Any:
    """What a loop goes through, each turn counted."""
    if hasattr(value, "__len__"):
        _take(weight * (1 + len(value)))
        return value
    return _counted_turns(value, weight)


def _counted_turns(values: Any, weight: int) -> Iterator[Any]:
    for value in values:
        _take(weight)
        yield value


def _text(value: Any) -> Any:
    """What is written, or joined from parts."""
    if isinstance(value, str):
        _take(1 + len(value) // _CHARACTERS)
        _refuse_long(len(value))
    return value


def _checked(made: Any) -> Any:
    return (
        _text(made)
        if isinstance(made, str)
        else _parts(made)
        if isinstance(made, list | tuple | dict)
        else made
    )


def _parts(value: Any) -> Any:
    """A list, or another container, whose parts and parts of parts are few: one that holds another twice doubles it."""
    level, seen = [value], 0
    while level:
        inner = [v for v in level if isinstance(v, list | tuple | dict)]
        seen += sum(len(v) for v in inner)
        if seen > MOST_PARTS:
            raise TemplateLimit(f"it makes a list of more than {MOST_PARTS:,} parts")
        level = [part for v in inner for part in (v.values() if isinstance(v, dict) else v)]
    _take(1 + seen // _CHARACTERS)
    return value


# --- what is refused before it is made ------------------------------------------------------------


def _refuse_long(length: float) -> None:
    if length > LONGEST:
        raise TemplateLimit(f"it makes a text of more than {LONGEST:,} characters")


def _check_operands(operator: str, left: Any, right: Any) -> None:
    if operator == "%" and isinstance(left, str):
        _check_format(left)
    elif operator == "+" and isinstance(left, str) and isinstance(right, str):
        _refuse_long(len(left) + len(right))
    elif operator == "*":
        for one, other in ((left, right), (right, left)):
            if isinstance(one, str | list | tuple) and isinstance(other, int):
                _refuse_long(len(one) * other * (1 if isinstance(one, str) else _CHARACTERS))
        if isinstance(left, int) and isinstance(right, int):
            _refuse_bits(left.bit_length() + right.bit_length())
    elif operator == "**" and isinstance(left, int) and isinstance(right, int):
        _refuse_bits(left.bit_length() * right)


def _check_widths(args: Iterable[Any], more: Mapping[str, Any], *, most: int) -> None:
    for value in (*args, *more.values()):
        if isinstance(value, int) and value > most:
            raise TemplateLimit(
                f"it asks for a width or a count of {value:,}"
                if value < 10**15
                else "it asks for an endless width"
            )


def _refuse_bits(bits: int) -> None:
    if bits > MOST_BITS:
        raise TemplateLimit(f"it computes a number of more than {MOST_BITS:,} bits")


def _check_format(form: str) -> None:
    if _WIDTH.search(form):
        raise TemplateLimit("it formats a text with a width of six digits or more, or of its own making")


def _check_texts(name: str, text: str, *args: Any, **kwargs: Any) -> None:
    """A method or filter of a text that may lengthen it: by a width, by what is put in, or by a format."""
    given = [*args, *kwargs.values()]
    widths = [a for a in given if isinstance(a, int)]
    if widths and max(widths) > 1:
        _refuse_long(max(widths) * (1 + text.count("\n") + text.count("\t")))
    texts = [a for a in given if isinstance(a, str)]
    if name == "replace" and len(texts) > 1:
        _refuse_long(len(text) + (text.count(texts[0]) + 1) * len(texts[1]))
    elif name == "join" and args:
        _check_join([list(args[0]), text], {})
    elif name in ("format", "format_map"):
        _check_format(text)
    elif name in ("wordwrap", "translate", "indent") and texts:
        _refuse_long(len(text) * max(len(t) for t in texts))


def _check_join(given: list[Any], more: dict[str, Any]) -> None:
    between = max((len(a) for a in (*given, *more.values()) if isinstance(a, str)), default=0)
    for values in (a for a in given if isinstance(a, list | tuple)):
        _refuse_long(sum(len(v) if isinstance(v, str) else 1 for v in values) + between * len(values))


def _filtered(node: nodes.Node, name: str, *args: nodes.Expr) -> nodes.Filter:
    made = nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)
    if node.environment is not None:
        made.set_environment(node.environment)
    return made
