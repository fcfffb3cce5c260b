"""Settings of policies that answer prompts."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import BadSetting
from .definition import setting
from .reward_model import LocalModelSettings
from .table import column_setting
from .vocabulary import OnError, TooLong


@dataclass(frozen=True, kw_only=True)
class AnswerSettings(LocalModelSettings):
    """How a policy is asked, and how it is run; what a kind of policy has no use for is refused."""

    system: str | None = setting(None, "System prompt.", metavar="TEXT")
    temperature: float = setting(0.0, "0: the likeliest token each time; above, answers are drawn.", least=0)
    top_p: float = setting(1.0, "Draw among the likeliest tokens that hold this share.", above=0)
    max_tokens: int = setting(1024, "Most tokens of an answer; a longer one is cut off.", least=1)
    stop: tuple[str, ...] = setting((), "A text that ends an answer; repeatable.", metavar="TEXT")
    seed: int = setting(0, "Seed of all that is drawn: each answer has its own, made from it.", least=0)
    samples: int = setting(1, "Answers to each prompt (column `sample`).", least=1)
    token_budget: int | None = setting(
        None, "hf: tokens per batch, padding and answers included (default: by device).", least=1
    )
    gpus: int = setting(1, "vllm: GPUs that share the model.", least=1)
    api_key_env: str = setting(
        "OPENAI_API_KEY",
        "openai: environment variable that holds the key; unset for servers that need none.",
        metavar="NAME",
    )
    concurrency: int = setting(8, "openai: calls at once.", least=1)
    timeout: float = setting(60.0, "openai: seconds per call.", above=0)
    on_error: OnError = setting(
        "fail",
        "openai: if a call has no answer after all retries, stop, or leave it out and ask again next time.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.top_p > 1:
            raise BadSetting(
                f"top_p must be at most 1, got {self.top_p}", setting="top_p", fix="give a share of at most 1"
            )
        if any(not text for text in self.stop):
            raise BadSetting("an empty text ends every answer", setting="stop", fix="leave it out")


@dataclass(frozen=True, kw_only=True)
class PolicySettings(AnswerSettings):
    """One policy of a file: its name, what it is, and all that it has for itself."""

    name: str | None = setting(
        None, "What the policy is called in every table (default: made from the spec)."
    )
    spec: str = setting(
        about="hf:DIR_OR_ID, vllm:DIR_OR_ID, openai:MODEL@URL, python:MODULE:FUNCTION or outputs:PATH.",
        path="path or id",
    )


@dataclass(frozen=True, kw_only=True)
class GenerateSettings(AnswerSettings):
    """Policies that answer prompts, and how they are asked."""

    policies: tuple[str, ...] = setting(
        (),
        "A policy, see SPEC above; repeatable.",
        flags=("--policy",),
        metavar="[NAME=]SPEC",
        path="path or id",
    )
    policies_file: str | None = setting(
        None,
        "A YAML file of policies, each with settings of its own; those given here are its defaults.",
        flags=("--policies",),
        metavar="FILE",
        path="path",
    )
    too_long: TooLong = setting(
        "fail", "A prompt that does not fit with its answer: stop before anything is asked, or leave it out."
    )
    columns: tuple[str, ...] = column_setting()
    price_in: float | None = setting(None, "Price of a million tokens read.", least=0)
    price_out: float | None = setting(None, "Price of a million tokens written.", least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.price_in is None) != (self.price_out is None):
            raise BadSetting(
                "give price_in and price_out together", fix="add the other (0 where it costs nothing)"
            )
