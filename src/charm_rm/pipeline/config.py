"""The configuration of a run: one validated file, every key described once, here.

The descriptions feed the error messages' neighbours, ``charm init`` and docs/pipeline.md alike. An unknown key is an
error, never ignored. Relative paths are relative to the configuration file.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
AUTO: Literal["auto"] = "auto"
FIRST_RM, MODEL = "first-rm", "model"  # folders of the run directory

# Keys that hold a path, by section; a `*_or_id` may also be a hub id and is a path only where that exists.
PATHS = {
    "": ("truth",),
    "ratings": ("battles", "aliases"),
    "score": ("scores",),
    "evaluate": ("data", "pairs"),
    "train_from": ("preferences",),
}
PATHS_OR_IDS = {"responses": ("source",), "ratings": ("source",), "rm": ("model",), "train_from": ("base",)}


class Section(BaseModel):
    """A mapping in the file: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class ResponsesSection(Section):
    """What the policies answered (required)."""

    source: str | list[str] = Field(
        description="Responses: Parquet, JSONL or CSV (prompt_id, prompt, policy, response), a `datasets` folder or hub id, "
        "or a list of AlpacaEval model_outputs.json files."
    )
    policies: list[str] | None = Field(default=None, description="Use these policies only (null: all).")
    n_prompts: Count | None = Field(default=None, description="Sample this many prompts (null: all).")
    test_fraction: Share = Field(
        default=0.3,
        description="Share of prompts kept for the audits before and after; the rest calibrate, relabel and train.",
    )


class RatingsSection(Section):
    """Human-preference ratings to audit against: a table (source) or votes to fit (battles)."""

    source: str | None = Field(
        default="arena",
        description="`arena`, `arena:CATEGORY`, a CSV or Parquet of your own, or hf:DATASET; null with battles.",
    )
    battles: str | None = Field(
        default=None, description="Votes to fit ratings from (policy_a, policy_b, winner), instead of source."
    )
    category: str | None = Field(
        default=None, description="Category of the source, such as `coding` (null: overall)."
    )
    date: str | None = Field(
        default=None, description="Date of the source, as 2024-12-31 (null: the latest)."
    )
    aliases: str | None = Field(
        default=None, description="CSV with columns policy, arena_name: names of policies in the ratings."
    )
    style: list[str] = Field(
        default=[], description="With battles: columns to fit as style covariates (style control)."
    )
    anchor: str | None = Field(
        default=None,
        description="With battles: the policy whose rating is fixed at 1000 (null: the mean is 1000).",
    )
    prior: float = Field(
        default=0.0, ge=0, description="With battles: pseudo-battles per pair that met, half won, half lost."
    )

    @model_validator(mode="after")
    def _one_origin(self) -> RatingsSection:
        if self.battles is not None and self.source not in (None, "arena"):
            raise ValueError("give either source or battles, not both")
        if self.battles is None and self.source is None:
            raise ValueError("give source or battles")
        if self.battles is None and (self.style or self.anchor or self.prior):
            raise ValueError("style, anchor and prior need battles to fit")
        return self


class TrainSection(Section):
    """Fine-tune the reward model on the relabelled preferences (null: stop after relabel)."""

    learning_rate: Positive = Field(default=2e-6, description="Peak learning rate.")
    epochs: Positive = Field(default=1.0, description="Passes over the pairs.")
    batch_size: Count = Field(default=64, description="Pairs per optimiser step.")
    device_batch_size: Count | None = Field(
        default=None, description="Pairs per forward pass (null: up to 8); lower it when memory runs out."
    )
    max_length: Count = Field(
        default=4096, description="Tokens per sequence, capped by what the model can read."
    )
    warmup_ratio: float = Field(default=0.03, ge=0, lt=1, description="Share of steps that warm up.")
    scheduler: str = Field(default="cosine", description="Learning-rate schedule.")
    weight_decay: float = Field(default=0.0, ge=0, description="Weight decay.")
    lora: bool = Field(
        default=False, description="Train low-rank adapters and the score head, not all weights."
    )
    lora_rank: Count = Field(default=16, description="Rank of the adapters.")
    lora_alpha: Count | None = Field(
        default=None, description="Scale of the adapters (null: twice the rank)."
    )
    margin_loss: bool = Field(default=False, description="Ask the loss for the calibrated margin.")
    soft_labels: bool = Field(default=False, description="Train on p_chosen in place of hard labels.")
    eval_fraction: float = Field(
        default=0.05, ge=0, lt=1, description="Share of prompts held out to watch training."
    )
    dropout: bool = Field(
        default=True, description="Keep the dropout that the model's configuration asks for."
    )
    bf16: bool | None = Field(default=None, description="bfloat16 autocast (null: on GPUs that support it).")
    gradient_checkpointing: bool | None = Field(
        default=None, description="Recompute activations to save memory (null: on GPUs)."
    )
    save_every: int | None = Field(
        default=None, ge=0, description="Checkpoint every so many steps (null: ten times a run; 0: never)."
    )


class FirstRmSection(TrainSection):
    """Make the first reward model: train a new head (and the body) on preferences."""

    base: str = Field(
        description="Backbone: a local folder, a hub id, or `minilm` (pip-shipped, [demo] extra)."
    )
    preferences: str = Field(description="Preference pairs: Parquet or JSONL with prompt, chosen, rejected.")


class RewardModelSection(Section):
    """The reward model to audit and mend: an existing one (model) or one to train first (train_from)."""

    model: str | None = Field(
        default=None,
        description="A local folder or a hub id of a reward model, or what else `charm score --rm` takes.",
    )
    train_from: FirstRmSection | None = Field(default=None, description="Instead of model: train one first.")
    reward: str | None = Field(
        default=None,
        description="Which of the model's outputs is the reward (null: its only one; docs/models.md).",
    )
    dtype: Literal["float32", "bfloat16", "float16", "auto"] = Field(
        default="float32", description="Precision of the body; auto: as the model was saved."
    )
    device: str | None = Field(
        default=None, description="Device, such as cuda:0 (null: a GPU where there is one)."
    )
    max_length: Count | None = Field(
        default=None, description="Tokens of prompt and response (null: what the model takes)."
    )
    trust_remote_code: bool = Field(default=False, description="Run code that ships with the model.")

    @model_validator(mode="after")
    def _one_origin(self) -> RewardModelSection:
        if (self.model is None) == (self.train_from is None):
            raise ValueError("give exactly one of model and train_from")
        return self


class ScoreSection(Section):
    """Score the responses."""

    scores: str | None = Field(
        default=None, description="Scores made elsewhere (prompt_id, policy, score), instead of an rm."
    )
    token_budget: Count | None = Field(
        default=None, description="Tokens per batch (null: a sane number); lower it when memory runs out."
    )


class AuditSection(Section):
    """Audit the scores against the ratings, on the test prompts."""

    references: list[str] | None = Field(
        default=None, description="Audit pairs with these references only (null: every pair)."
    )
    draws: int = Field(
        default=1000, ge=0, description="Bootstrap draws behind the intervals: at least 100, or 0 for none."
    )
    ties: Literal["half", "loss"] = Field(default="half", description="What an equal score counts.")
    temperature: Positive = Field(default=1.0, description="Temperature of the soft win rates.")
    unrated: Literal["error", "skip"] = Field(
        default="error", description="What to do with a policy without a rating."
    )

    @field_validator("draws")
    @classmethod
    def _enough_draws(cls, draws: int) -> int:
        if 0 < draws < 100:
            raise ValueError("use at least 100 draws, or 0 for intervals without a bootstrap")
        return draws


class CalibrateSection(Section):
    """Solve score offsets on the train prompts (null: stop after the audit)."""

    method: Literal["pair", "joint"] = Field(
        default="pair", description="`pair`: one policy over its references; `joint`: every policy at once."
    )
    over: str = Field(
        default=AUTO, description="Policy to calibrate; auto: the most favoured on the train prompts."
    )
    references: list[str] | Literal["auto"] = Field(
        default=AUTO,
        description="Policies held at offset 0; auto: the best aligned one near the policy's rating.",
    )
    link: Literal["hard", "sigmoid"] = Field(default="hard", description="How a margin counts as a win.")
    temperature: Positive = Field(default=1.0, description="Temperature of the sigmoid link.")
    held_out: list[str] = Field(
        default=[], description="Policies never used in calibration, to see whether the mend carries over."
    )


class RelabelSection(Section):
    """Turn calibrated scores on the train prompts into preferences."""

    strategy: Literal["pair", "best-vs-worst", "all-pairs", "sampled"] = Field(
        default="pair",
        description="`pair`: calibrated policies against their references; or, among all of these, "
        "`best-vs-worst`, `all-pairs` or `sampled` pairs.",
    )
    pairs_per_prompt: Count = Field(default=4, description="With `sampled`: pairs drawn per prompt.")
    temperature: Positive = Field(default=1.0, description="Temperature of the soft labels.")


class EvaluateSection(Section):
    """Accuracy on benchmarks and alignment with the ratings, before and after (null: none)."""

    benchmarks: list[str] = Field(
        default=[], description="Such as llmbar, rm-bench; see `charm evaluate --help`."
    )
    data: str | None = Field(default=None, description="Folder with the benchmarks' original files.")
    pairs: str | None = Field(
        default=None,
        description="Preference pairs of your own as a benchmark; a `subset` column splits them.",
    )
    limit: Count | None = Field(default=None, description="Use only this many items of each (null: all).")


class ReportSection(Section):
    """One self-contained page in the run directory."""

    enabled: bool = Field(default=True, description="Write report.html and figures/.")


class Config(Section):
    """A whole run."""

    name: str = Field(default="charm-run", description="Name of the run; the default output folder.")
    seed: int = Field(default=0, ge=0, description="Seed of everything random.")
    simulated: bool = Field(default=False, description="Mark the run as made of simulated data.")
    truth: str | None = Field(
        default=None, description="True ratings, which only a simulation knows (null: none)."
    )
    responses: ResponsesSection
    ratings: RatingsSection = RatingsSection()
    rm: RewardModelSection | None = Field(
        default=None, description="The reward model; null needs score.scores."
    )
    score: ScoreSection = ScoreSection()
    audit: AuditSection = AuditSection()
    calibrate: CalibrateSection | None = CalibrateSection()
    relabel: RelabelSection | None = RelabelSection()
    train: TrainSection | None = TrainSection()
    evaluate: EvaluateSection | None = None
    report: ReportSection = ReportSection()

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        if (self.rm is None) == (self.score.scores is None):
            raise ValueError("give exactly one of rm and score.scores")
        calibrate = self.calibrate
        if calibrate is not None:
            used = {calibrate.over} | set(calibrate.references if calibrate.references != AUTO else [])
            if both := sorted(used & set(calibrate.held_out)):
                raise ValueError(f"calibrate.held_out names {both}, which calibrate uses")
        if self.evaluate is not None and self.evaluate.benchmarks and self.evaluate.data is None:
            raise ValueError("evaluate.benchmarks needs evaluate.data, the folder with their files")
        return self

    @property
    def trains(self) -> bool:
        """Whether the run goes as far as a fine-tuned model."""
        return None not in (self.calibrate, self.relabel, self.train, self.rm)

    @property
    def first_model(self) -> str | None:
        """The reward model before fine-tuning: an id, a folder, or :data:`FIRST_RM` of the run directory."""
        if self.rm is None:
            return None
        return FIRST_RM if self.rm.train_from is not None else self.rm.model

    def section(self, name: str) -> Any:
        """The section ``name`` as JSON-able values (``None`` where it is off)."""
        value = getattr(self, name)
        return value.model_dump(mode="json") if isinstance(value, BaseModel) else value
