"""What ``--policy`` takes, in words -> a policy that answers prompts, and its name."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from .errors import ConfigError
from .paths import expanded
from .protocols import AnsweringPolicy
from .settings import PolicySettings
from .spec_options import POLICY_OPTIONS, policy_options

POLICY_KINDS = {
    "hf": "hf:DIR_OR_ID, a causal language model by transformers",
    "vllm": "vllm:DIR_OR_ID, the same by vLLM's engine",
    "openai": "openai:MODEL@URL, an OpenAI-compatible server",
    "python": "python:MODULE:FUNCTION, a function of your own",
    "outputs": "outputs:PATH, outputs that exist",
}
OPENAI_URL = "https://api.openai.com/v1"
# The variable that OpenAI's own client reads, too.
OPENAI_URL_VARIABLE = "OPENAI_BASE_URL"


def load_policy(
    spec: str,
    *,
    dtype: str = "float32",
    device: str = "auto",
    max_length: int | None = None,
    trust_remote_code: bool = False,
    token_budget: int | None = None,
    gpus: int = 1,
    api_key_env: str = "OPENAI_API_KEY",
    concurrency: int = 8,
    timeout: float = 60.0,
    on_error: str = "fail",
) -> AnsweringPolicy:
    """Open the policy that ``spec`` names, to be asked.

    Args:
        spec: one of :data:`POLICY_KINDS` but ``outputs``, or a folder of a generative model.
        dtype, device, max_length, trust_remote_code: how a local model is run.
        token_budget: hf: tokens per batch, padding and answers included.
        gpus: vllm: GPUs that share the model.
        api_key_env: openai: the environment variable that holds the key; it may be unset for servers that need none.
        concurrency: openai: calls in flight at once.
        timeout: openai: seconds that a call may take.
        on_error: openai: what a call does that has no answer for all that was tried: ``fail``, or ``skip`` it.

    Raises:
        ConfigError: the spec is unknown, or an option is without effect on this kind of policy.
        ModelError: the model cannot be opened.
        MissingExtra: an optional dependency is not installed.
    """
    kind, name = split_policy_spec(spec)
    options = policy_options(
        kind,
        {
            "dtype": dtype,
            "device": device,
            "max_length": max_length,
            "trust_remote_code": trust_remote_code,
            "token_budget": token_budget,
            "gpus": gpus,
            "api_key_env": api_key_env,
            "concurrency": concurrency,
            "timeout": timeout,
            "on_error": on_error,
        },
        spec=spec,
        defaults=load_policy,
    )
    policy: AnsweringPolicy
    if kind == "python":
        policy = named("callables", "load_callable_policy")(name)
    elif kind == "hf":
        policy = named("models.generating.local", "load_local_policy")(name, **options)
    elif kind == "vllm":
        policy = named("models.generating.engine", "load_engine_policy")(name, **options)
    elif kind == "openai":
        model, url = split_address(name)
        policy = named("remote", "OpenAIPolicy")(model, base_url=url, **options)
    else:
        raise ConfigError(
            "outputs that exist cannot be asked", where=spec, fix="read them with take_outputs()"
        )
    return policy


def policy_opening(one: PolicySettings) -> dict[str, Any]:
    """What :func:`load_policy` is called with for a policy of a file or command line: its spec, and the options that its kind takes."""
    takes = POLICY_OPTIONS[split_policy_spec(one.spec)[0]]
    options = one.accepted_by(load_policy)
    return {name: value for name, value in options.items() if name == "spec" or name in takes}


def split_policy_spec(spec: str) -> tuple[str, str]:
    """(kind, name) of a policy's spec.

    Raises:
        ConfigError: no such kind.
    """
    kind, colon, name = spec.partition(":")
    if colon and kind in POLICY_KINDS and name:
        return kind, name
    if spec and expanded(spec).is_dir():
        return "hf", spec
    raise ConfigError(
        f"no policy {spec!r}", fix=f"use a folder or one of: {'; '.join(POLICY_KINDS.values())}"
    )


def split_address(name: str) -> tuple[str, str]:
    """(model, address) of ``MODEL@URL``; without an address ``$OPENAI_BASE_URL``, else OpenAI's own."""
    model, at, url = name.rpartition("@")
    if at and model and url.startswith(("http://", "https://")):
        return model, url
    return name, openai_url()


def split_named(text: str) -> tuple[str | None, str]:
    """(name, spec) of ``NAME=SPEC``; a spec alone has no name. A sign of equality after the spec's kind is part of the spec."""
    name, equals, spec = text.partition("=")
    if not equals or ":" in name or expanded(text).is_dir():
        return None, text
    if not name.strip() or not spec:
        raise ConfigError(f"{text!r} names no policy", fix="write NAME=SPEC, or the spec alone")
    return name.strip(), spec


def derived_name(spec: str) -> str:
    """What a policy is called where nobody says: the last part of a folder or hub id, a server's model, a function."""
    kind, name = split_policy_spec(spec)
    if kind == "openai":
        return split_address(name)[0]
    if kind == "python":
        return name.rpartition(":")[2]
    path = Path(name)
    return path.name if path.name not in ("", "..") else path.resolve().name


def openai_url() -> str:
    """``$OPENAI_BASE_URL``, else OpenAI's own address."""
    return os.environ.get(OPENAI_URL_VARIABLE) or OPENAI_URL


def named(module: str, name: str) -> Any:
    """Load a kind of model when it is asked for: each costs its own heavy imports."""
    return getattr(importlib.import_module(f".{module}", __package__), name)
