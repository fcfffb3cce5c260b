"""Which options each kind of reward model, judge or policy takes; what is given to one that has no use for it is refused, never left aside."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .errors import ConfigError, did_you_mean, listing
from .settings import AnswerSettings, JudgeSettings, ModelSettings, settings_of

# What each kind takes, besides a calibrator; "" is a reward model that runs here.
_LOCAL = ("dtype", "device", "max_length", "trust_remote_code")
_SERVER = (
    "api_key_env",
    "concurrency",
    "model",
    "endpoint",
    "layout",
    "truncate",
    "timeout",
    "retries",
    "patience",
)
SCORER_OPTIONS: dict[str, tuple[str, ...]] = {
    "": (*_LOCAL, "attention", "unpadded", "compiled", "reward"),
    "dpo": ("beta", *_LOCAL, "normalise"),
    "vllm": _SERVER,
    "vllm-offline": ("dtype", "max_length", "trust_remote_code", "task"),
    "tei": _SERVER,
    "python": (),
}
JUDGE_OPTIONS: dict[str, tuple[str, ...]] = {
    "hf": ("prompt", *_LOCAL, "token_budget"),
    "openai": ("prompt", "base_url", "api_key_env", "concurrency", "timeout", "on_error"),
    "pair": (*_LOCAL, "template", "first_output"),
    "python": (),
}
# How a policy is asked, whatever it is made of; a function samples in its own way.
_ASKED = ("system", "temperature", "top_p", "max_tokens", "stop", "seed", "samples")
POLICY_OPTIONS: dict[str, tuple[str, ...]] = {
    "hf": (*_ASKED, *_LOCAL, "token_budget"),
    "vllm": (*_ASKED, "dtype", "max_length", "trust_remote_code", "gpus"),
    "openai": (*_ASKED, "api_key_env", "concurrency", "timeout", "on_error"),
    "python": ("system", "seed", "samples"),
    "outputs": (),
}
_POLICY_NAMES = {
    "hf": "a model that runs here",
    "vllm": "vLLM's engine",
    "openai": "a model behind a server",
    "python": "a function",
    "outputs": "outputs that exist",
}
_KIND_NAMES = {
    "": "a reward model that runs here",
    "dpo": "a DPO policy",
    "vllm": "a vLLM server",
    "vllm-offline": "vLLM's engine",
    "tei": "a Text Embeddings Inference server",
    "python": "a function",
    "hf": "a generative model that runs here",
    "openai": "a judge behind a server",
    "pair": "a pair ranker",
}


def taken_options(
    spec: str,
    table: Mapping[str, Sequence[str]],
    kind: str,
    given: Mapping[str, Any],
    *,
    defaults: Callable[..., Any],
    names: Mapping[str, str] | None = None,
    also: Sequence[str] = ("calibrator",),
) -> dict[str, Any]:
    """Those of the options that this kind of model takes, by name.

    An option without effect is refused unless it has the default of the verb ``defaults``. ``names`` says what kinds are called,
    ``also`` which options all of them take besides.

    Raises:
        ConfigError: no kind knows an option, or this kind does not.
    """
    takes, called = table[kind], (names or _KIND_NAMES)[kind]
    known = sorted({name for names in table.values() for name in names})
    if unknown := [name for name in given if name not in known]:
        raise ConfigError(
            f"there is no option {listing(unknown)}.{did_you_mean(unknown[0], known)}",
            where=spec,
            fix=f"{called} takes {', '.join((*takes, *also)) or 'none'}",
        )
    usual = inspect.signature(defaults).parameters
    idle = [
        name
        for name, value in given.items()
        if name not in takes and (name not in usual or value != usual[name].default)
    ]
    if idle:
        raise no_effect(idle, f"on {called}", where=spec, takes=(*takes, *also))
    return {name: value for name, value in given.items() if name in takes}


def no_effect(
    names: Sequence[str], on: str, *, where: str | None = None, takes: Sequence[str] = ()
) -> ConfigError:
    """What to say of options that are given to models that have no use for them."""
    words = f"; it takes {', '.join(takes)}" if where and takes else ""
    return ConfigError(
        f"{', '.join(names)} {'has' if len(names) == 1 else 'have'} no effect {on}",
        where=where,
        fix=f"leave out {' and '.join(map(_in_words, names))}{words}",
    )


def _in_words(name: str) -> str:
    """An option as the command line has it, where it does, and as Python does."""
    known = {one.name for kind in (ModelSettings, JudgeSettings, AnswerSettings) for one in settings_of(kind)}
    flag = {"compiled": "compile"}.get(name, name.replace("_", "-"))
    return f"--{flag} ({name}= in Python)" if name in known else f"{name}="


def policy_options(
    kind: str, given: Mapping[str, Any], *, spec: str, defaults: Callable[..., Any]
) -> dict[str, Any]:
    """:func:`taken_options` of a policy."""
    return taken_options(spec, POLICY_OPTIONS, kind, given, defaults=defaults, names=_POLICY_NAMES, also=())
