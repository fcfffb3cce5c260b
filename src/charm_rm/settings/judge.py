"""Settings of an LLM judge."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import BadSetting
from .definition import setting
from .reward_model import LocalModelSettings
from .vocabulary import Missing, OnError


@dataclass(frozen=True, kw_only=True)
class JudgeSettings(LocalModelSettings):
    """An LLM judge to audit and calibrate, instead of a reward model (null: none)."""

    spec: str = setting(
        about="The judge: hf:DIR_OR_ID, openai:MODEL, pair:DIR_OR_ID or python:MODULE:FUNCTION.",
        flags=("--judge",),
        metavar="SPEC",
        path="path or id",
    )
    pairs: str = setting(
        "all",
        "Every pair of policies, every policy against one, or K random pairs per prompt.",
        metavar="all|vs:POLICY|sampled:K",
    )
    prompt: str = setting(
        "alpaca-eval-like",
        "Prompt of a generative judge: alpaca-eval-like, arena-hard-like, or a TOML file of your own.",
        metavar="NAME_OR_FILE",
        path="path or id",
    )
    missing: Missing = setting(
        "drop", "Pairs with no verdict in one order: drop, keep with the other order alone, or fail."
    )
    base_url: str | None = setting(
        None,
        "openai: address of the server (default: $OPENAI_BASE_URL, else OpenAI's own).",
        metavar="URL",
    )
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
    calibrator: str | None = setting(
        None,
        "A style calibrator for this judge (from `charm calibrate --style`); margins are then calibrated.",
        path="path",
        metavar="FILE",
    )
    price_in: float | None = setting(None, "Price of a million tokens read.", least=0)
    price_out: float | None = setting(None, "Price of a million tokens written.", least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.price_in is None) != (self.price_out is None):
            raise BadSetting(
                "give price_in and price_out together", fix="add the other (0 where it costs nothing)"
            )
