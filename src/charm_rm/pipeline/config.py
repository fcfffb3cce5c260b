"""The configuration of a run: its sections are the settings of the stages (:mod:`charm_rm.settings`).

The descriptions feed the error messages' neighbours, ``charm init`` and docs/pipeline.md alike. An unknown key is an
error, never ignored. Relative paths are relative to the configuration file.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

from ..errors import BadSetting
from ..settings import (
    AuditSettings,
    CalibrateSettings,
    EvaluateSettings,
    JudgeSettings,
    PolicySettings,
    PromptsSettings,
    RatingsSettings,
    RelabelSettings,
    ReportSettings,
    RewardModelSettings,
    RunResponsesSettings,
    ScoreSettings,
    Settings,
    TrainSectionSettings,
    as_names,
    setting,
)

FIRST_RM, MODEL = "first-rm", "model"  # folders of the run directory
INSTRUCTIONS, GENERATED = "instructions.parquet", "generated"  # of a run that begins with them
# What calibration leaves there: offsets, or a calibrator, its comparison with offsets, and the audit of calibrated scores.
OFFSETS, CALIBRATOR, BESIDE, CALIBRATED = "offsets.parquet", "calibrator.json", "beside.parquet", "calibrated"


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """A whole run."""

    name: str = setting("charm-run", "Name of the run; the default output folder.")
    seed: int = setting(0, "Seed of everything random.", least=0)
    simulated: bool = setting(False, "Mark the run as made of simulated data.")
    votes_simulated: bool = setting(False, "Mark the votes alone as simulated; responses are real.")
    truth: str | None = setting(
        None, "True ratings, which only a simulation knows (default: none).", path="path"
    )
    prompts: PromptsSettings | None = setting(
        None, "Instructions for policies to answer, instead of responses.source."
    )
    policies: tuple[PolicySettings, ...] | None = setting(None, "The policies that answer the prompts.")
    responses: RunResponsesSettings = RunResponsesSettings()
    ratings: RatingsSettings = RatingsSettings()
    rm: RewardModelSettings | None = setting(
        None, "The reward model; null needs judge, score.scores or score.judgements."
    )
    judge: JudgeSettings | None = setting(None, "An LLM judge to audit and calibrate, instead of rm.")
    score: ScoreSettings = ScoreSettings()
    audit: AuditSettings = AuditSettings()
    calibrate: CalibrateSettings | None = CalibrateSettings()
    relabel: RelabelSettings | None = RelabelSettings()
    train: TrainSectionSettings | None = TrainSectionSettings()
    evaluate: EvaluateSettings | None = None
    report: ReportSettings = ReportSettings()

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_responses()
        origins = [self.rm, self.judge, self.score.scores, self.score.judgements]
        if sum(o is not None for o in origins) != 1:
            raise BadSetting(
                "give exactly one of rm and score.scores (or judge, or score.judgements)",
                setting="rm",
                fix="leave out or set to null all but one of them",
            )
        calibrate = self.calibrate
        if calibrate is not None:
            self._check_method(calibrate)
            used = set(as_names(calibrate.over)) | set(as_names(calibrate.references))
            if both := sorted(used & set(calibrate.held_out)):
                raise BadSetting(
                    f"calibrate.held_out names {both}, which calibrate uses",
                    setting="calibrate.held_out",
                    fix="hold out policies that are neither in over nor in references",
                )
        if self.evaluate is not None and self.evaluate.benchmarks and self.evaluate.data is None:
            raise BadSetting(
                "evaluate.benchmarks needs evaluate.data, the folder with their files",
                setting="evaluate.benchmarks",
                fix="give the folder, or leave the benchmarks out",
            )

        self._check_evaluation()

    def _check_responses(self) -> None:
        """Responses that exist, or prompts and policies that answer them."""
        given = self.responses.source is not None
        if not given and self.prompts is None and self.policies is None:
            raise BadSetting(
                "key 'responses.source' is missing",
                setting="responses.source",
                fix="add it, or prompts and policies that answer them; `charm init` writes a template with every key",
            )
        if given and (self.prompts is not None or self.policies is not None):
            raise BadSetting(
                "give responses.source, or prompts and policies, not both",
                setting="responses.source",
                fix="leave one of them out; outputs that exist can be a policy: spec outputs:PATH",
            )
        if not given and (self.prompts is None or not self.policies):
            raise BadSetting(
                "prompts and policies go together: who answers what",
                setting="policies" if self.prompts is not None else "prompts",
                fix="give both, or responses.source",
            )
        if self.generates and self.score.scores is not None:
            raise BadSetting(
                "score.scores are of responses that exist, and this run makes its own",
                setting="score.scores",
                fix="give rm or judge",
            )
        if self.generates and self.score.judgements is not None:
            raise BadSetting(
                "score.judgements are of responses that exist, and this run makes its own",
                setting="score.judgements",
                fix="give rm or judge",
            )

    @property
    def generates(self) -> bool:
        """Whether the run begins with instructions that its policies answer."""
        return self.prompts is not None

    def _check_evaluation(self) -> None:
        """Refuse an evaluation that nothing could come of, rather than leave it out in silence."""
        if self.evaluate is None or self.rm is not None:
            return
        asks = bool(self.evaluate.benchmarks) or self.evaluate.pairs is not None or self.evaluate.panel
        if asks and self.judge is None:
            raise BadSetting(
                "evaluate.benchmarks, evaluate.pairs and evaluate.panel ask a model, and this run has none: its scores or judgements come from a file",
                setting="evaluate",
                fix="give rm or judge, leave benchmarks, pairs and panel out, or use charm evaluate",
            )
        if self.judges and not asks:
            raise BadSetting(
                "evaluate would do nothing: how judgements agree with the ratings is in the audit",
                setting="evaluate",
                fix="set evaluate to null" + (", or give benchmarks or pairs" if self.judge else ""),
            )

    def _check_method(self, calibrate: CalibrateSettings) -> None:
        try:
            calibrate.check_method()
        except BadSetting as error:
            error.setting = f"calibrate.{error.setting}"
            raise
        if calibrate.method == "style" and self.relabel is not None and self.relabel.strategy == "pair":
            raise BadSetting(
                "relabel.strategy pair compares calibrated policies with their references, and a style calibration has none",
                setting="relabel.strategy",
                fix="use all-pairs, sampled or best-vs-worst",
            )

    @property
    def judges(self) -> bool:
        """Whether the run is of judgements, not of scores."""
        return self.judge is not None or self.score.judgements is not None

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
        """The section ``name`` as plain values (``None`` where it is off)."""
        value = getattr(self, name)
        if isinstance(value, tuple):
            return [asdict(one) if is_dataclass(one) and not isinstance(one, type) else one for one in value]
        return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
