"""What ``--rm`` and ``--judge`` take, in words -> a preference model.

Filled where the kinds of models meet: this is the one place that knows all of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .errors import ConfigError
from .judging import DEFAULT_TEMPLATE, ChatJudge, Template, load_template
from .paths import expanded
from .policy_specs import named, openai_url
from .protocols import PairwisePreference, ScalarReward
from .spec_options import JUDGE_OPTIONS, SCORER_OPTIONS, taken_options

SCORER_KINDS = {
    "dpo": "dpo:POLICY,REFERENCE, the implicit reward of a DPO policy against what it was trained from",
    "vllm": "vllm:URL, a vLLM server",
    "vllm-offline": "vllm-offline:DIR_OR_ID, a reward model in vLLM's engine, in this process",
    "tei": "tei:URL, a Text Embeddings Inference server",
    "python": "python:MODULE:FUNCTION, a function of your own",
}
JUDGE_KINDS = {
    "hf": "hf:DIR_OR_ID, a local generative model",
    "openai": "openai:MODEL, an OpenAI-compatible server",
    "pair": "pair:DIR_OR_ID, a cross-encoder that compares two responses",
    "python": "python:MODULE:FUNCTION, a function of your own",
}
API_KEY = "OPENAI_API_KEY"


def load_scorer(
    spec: str,
    *,
    api_key_env: str | None = None,
    concurrency: int = 16,
    beta: float = 1.0,
    dtype: str = "float32",
    device: str = "auto",
    max_length: int | None = None,
    trust_remote_code: bool = False,
    attention: str = "auto",
    unpadded: bool | None = None,
    compiled: bool = False,
    reward: str | None = None,
    calibrator: str | Path | None = None,
    **more: Any,
) -> ScalarReward:
    """Open the scalar reward that ``spec`` names.

    Args:
        spec: a folder or hub id of a reward model, or one of :data:`SCORER_KINDS`.
        api_key_env: servers: the environment variable that holds the key; None: no key is sent.
        concurrency: servers: requests in flight at once.
        beta: dpo: scale of the log-ratio.
        dtype, device, max_length, trust_remote_code: how a local model is run.
        attention, unpadded, compiled, reward: reward models that run here, as :func:`charm_rm.models.load_reward_model` takes them.
        calibrator: file of a calibrator of this model, whose adjustment is added to each score (:func:`charm_rm.style.calibrated`).
        more: further arguments of :func:`charm_rm.remote.load_remote_reward`, of :func:`charm_rm.models.implicit.load_dpo_reward`,
            or of :func:`charm_rm.models.vllm_engine.load_vllm_reward`.

    Raises:
        ConfigError: an option is unknown, out of range, or without effect on this kind of model, or the calibrator is not of
            this model.
        SchemaError: the file is no calibrator.
        ModelError: it is no reward model, or cannot be opened.
        MissingExtra: an optional dependency is not installed.
    """
    kind, name = split_scorer_spec(spec)
    options = taken_options(
        spec,
        SCORER_OPTIONS,
        kind,
        {
            "api_key_env": api_key_env,
            "concurrency": concurrency,
            "beta": beta,
            "dtype": dtype,
            "device": device,
            "max_length": max_length,
            "trust_remote_code": trust_remote_code,
            "attention": attention,
            "unpadded": unpadded,
            "compiled": compiled,
            "reward": reward,
            **more,
        },
        defaults=load_scorer,
    )
    found = None if calibrator is None else named("style", "load_calibrator")(calibrator)
    scorer: ScalarReward
    if kind == "python":
        scorer = named("callables", "load_callable_reward")(name)
    elif kind == "vllm-offline":
        scorer = named("models.vllm_engine", "load_vllm_reward")(name, **options)
    elif kind in ("vllm", "tei"):
        scorer = named("remote", "load_remote_reward")(spec, **options)
    elif kind == "dpo":
        scorer = named("models.implicit", "load_dpo_reward")(*_two(name, spec), **options)
    else:
        scorer = named("models.scoring.reward", "load_reward_model")(name, **options)
    return scorer if found is None else _calibrated(scorer, found)


def load_judge(
    spec: str,
    *,
    prompt: str | Path | Template = DEFAULT_TEMPLATE,
    base_url: str | None = None,
    api_key_env: str = API_KEY,
    concurrency: int = 8,
    timeout: float = 60.0,
    on_error: str = "fail",
    dtype: str = "float32",
    device: str = "auto",
    max_length: int | None = None,
    trust_remote_code: bool = False,
    calibrator: str | Path | None = None,
    **more: Any,
) -> PairwisePreference:
    """Open the judge that ``spec`` names.

    Args:
        spec: one of :data:`JUDGE_KINDS`, or a folder of a generative model.
        prompt: template of a generative judge: a shipped one by name, a file, or a template.
        base_url: address of the OpenAI-compatible server; None: ``$OPENAI_BASE_URL``, else OpenAI's own.
        api_key_env: the environment variable that holds the key; it may be unset for servers that need none.
        concurrency: calls in flight at once.
        timeout: seconds that a call may take.
        on_error: what a call does that has no answer for all that was tried: ``fail``, or ``skip`` it.
        dtype, device, max_length, trust_remote_code: how a local model is run.
        calibrator: file of a calibrator of this judge, whose adjustment is added to the log-odds of each answer.
        more: further arguments of :func:`charm_rm.models.causal_judge.load_local_chat` (hf) or :func:`charm_rm.models.load_pair_ranker` (pair).

    Raises:
        ConfigError: the spec, or an option, is unknown, an option is without effect on this kind of judge, or the calibrator is
            not of this judge.
        SchemaError: the file is no calibrator.
        ModelError: the model cannot be opened.
        MissingExtra: an optional dependency is not installed.
    """
    kind, name = split_judge_spec(spec)
    options = taken_options(
        spec,
        JUDGE_OPTIONS,
        kind,
        {
            "prompt": prompt,
            "base_url": base_url,
            "api_key_env": api_key_env,
            "concurrency": concurrency,
            "timeout": timeout,
            "on_error": on_error,
            "dtype": dtype,
            "device": device,
            "max_length": max_length,
            "trust_remote_code": trust_remote_code,
            **more,
        },
        defaults=load_judge,
    )
    options.pop("prompt", None)
    found = None if calibrator is None else named("style", "load_calibrator")(calibrator)
    judge: PairwisePreference
    if kind == "python":
        judge = named("callables", "load_callable_judge")(name)
    elif kind == "pair":
        judge = named("models.pair_ranker", "load_pair_ranker")(name, **options)
    else:
        template = prompt if isinstance(prompt, Template) else load_template(prompt)
        if kind == "hf":
            chat = named("models.causal_judge", "load_local_chat")(name, **options)
        else:
            options["base_url"] = base_url or openai_url()
            chat = named("remote", "OpenAIChat")(name, **options)
        judge = ChatJudge(chat, template)
    return judge if found is None else _calibrated(judge, found)


def split_scorer_spec(spec: str) -> tuple[str, str]:
    """(kind, name) of a scorer's spec; the kind of a reward model that runs here is the empty string."""
    kind, colon, name = spec.partition(":")
    if not colon or kind not in SCORER_KINDS or expanded(spec).is_dir():
        return "", spec
    return kind, name


def split_judge_spec(spec: str) -> tuple[str, str]:
    """(kind, name) of a judge's spec.

    Raises:
        ConfigError: no such kind.
    """
    kind, colon, name = spec.partition(":")
    if colon and kind in JUDGE_KINDS and name:
        return kind, name
    if spec and expanded(spec).is_dir():
        return "hf", spec
    raise ConfigError(f"no judge {spec!r}", fix=f"use a folder or one of: {'; '.join(JUDGE_KINDS.values())}")


def is_generative(spec: str) -> bool:
    """True for judges that answer in words, by a prompt template."""
    return split_judge_spec(spec)[0] in ("hf", "openai")


def _two(names: str, spec: str) -> tuple[str, str]:
    """Policy and reference."""
    policy, comma, reference = names.partition(",")
    if not (policy and comma and reference) or "," in reference:
        raise ConfigError(f"{spec!r} does not name a policy and its reference", fix=SCORER_KINDS["dpo"])
    return policy, reference


def _calibrated(model: Any, calibrator: Any) -> Any:
    """Whatever was opened, calibrated."""
    return named("style", "calibrated")(model, calibrator)
