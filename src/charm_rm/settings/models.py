"""Settings of what scores and judges: reward models, and LLM judges."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import BadSetting
from .definition import Settings, setting
from .training import TrainFromSettings
from .vocabulary import Attention, DType, Missing, OnError


@dataclass(frozen=True, kw_only=True)
class LocalModelSettings(Settings):
    """How a model that runs here is loaded."""

    max_length: int | None = setting(None, "Most tokens per conversation (default: the model's).", least=1)
    dtype: DType = setting("float32", "Precision of the body; `auto`: as the model was saved.")
    device: str = setting(
        "auto", "auto (all GPUs, else the CPU), cpu, cuda, cuda:1, or several: cuda:0,cuda:1"
    )
    trust_remote_code: bool = setting(False, "Run Python code that comes with the model.")


@dataclass(frozen=True, kw_only=True)
class ModelSettings(LocalModelSettings):
    """How a reward model of any kind is opened."""

    reward: str | None = setting(
        None,
        "Which of several outputs is the reward: output:N, mean, weights:W,W,... or its label (default: as the "
        "registry of well-known models says; docs/models.md).",
        metavar="WHICH",
    )
    attention: Attention = setting(
        "auto",
        "What computes attention; `auto`: flash-attention where it is installed and takes the precision.",
    )
    unpadded: bool | None = setting(
        None,
        "Lay a batch's rows end to end instead of padding them (default: with flash-attention).",
        flags=("--unpadded/--padded",),
    )
    compiled: bool = setting(False, "Compile the model first: minutes, for large runs.", flags=("--compile",))
    beta: float = setting(1.0, "dpo: scale of the log-ratio.")
    api_key_env: str | None = setting(
        None, "Servers: environment variable that holds the key (default: no key).", metavar="NAME"
    )
    concurrency: int = setting(16, "Servers: requests at once.", least=1)


@dataclass(frozen=True, kw_only=True)
class RewardModelSettings(ModelSettings):
    """The reward model to audit and calibrate: an existing one (model) or one to train first (train_from)."""

    model: str | None = setting(
        None,
        "A local folder or a hub id of a reward model, or what else `charm score --rm` takes.",
        path="path or id",
    )
    train_from: TrainFromSettings | None = setting(None, "Instead of model: train one first.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.model is None) == (self.train_from is None):
            raise BadSetting("give exactly one of model and train_from", setting="model")


@dataclass(frozen=True, kw_only=True)
class ScoreSettings(Settings):
    """Score the responses, or take scores or judgements made elsewhere."""

    scores: str | None = setting(
        None, "Scores made elsewhere (prompt_id, policy, score), instead of an rm.", path="path"
    )
    judgements: str | None = setting(
        None,
        "Judgements made elsewhere, instead of an rm: margins, or a file or folder of AlpacaEval, Arena-Hard or MT-Bench.",
        path="path",
    )
    annotator: str | None = setting(
        None, "Judgements: whose, where the file or folder holds several judges.", metavar="NAME"
    )
    baseline: str | None = setting(
        None,
        "Judgements: the model that all others met, where the file does not name it (Arena-Hard v0.1).",
        metavar="POLICY",
    )
    token_budget: int | None = setting(
        None,
        "Tokens per batch, padding included (default: a sane number); lower it when memory runs out.",
        least=1,
    )
    unchecked: bool = setting(False, "Score even what a quick look by the doctor finds unsound.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scores is not None and self.judgements is not None:
            raise BadSetting("give either scores or judgements, not both", setting="judgements")


@dataclass(frozen=True, kw_only=True)
class JudgeSettings(LocalModelSettings):
    """An LLM judge to audit and calibrate, instead of a reward model (null: none)."""

    spec: str = setting(
        about="Who judges: hf:DIR_OR_ID, openai:MODEL, pair:DIR_OR_ID or python:MODULE:FUNCTION.",
        flags=("--judge",),
        metavar="SPEC",
    )
    pairs: str = setting(
        "all",
        "Every pair of policies, every policy against one, or K random pairs per prompt.",
        metavar="all|vs:POLICY|sampled:K",
    )
    prompt: str = setting(
        "alpaca-eval-like",
        "What a generative judge is asked: alpaca-eval-like, arena-hard-like, or a TOML file of your own.",
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
        "openai: a call without an answer after all tries ends the run, or is left out and asked again next time.",
    )
    price_in: float | None = setting(None, "Price of a million tokens read.", least=0)
    price_out: float | None = setting(None, "Price of a million tokens written.", least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.price_in is None) != (self.price_out is None):
            raise BadSetting("give price_in and price_out together")
