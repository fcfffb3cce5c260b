"""Settings of what runs a stage: this process, or Ray."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import BadSetting
from .definition import Settings, setting, settings_of
from .vocabulary import Engine


@dataclass(frozen=True, kw_only=True)
class EngineSettings(Settings):
    """What runs a stage: this process, or actors of Ray on this machine or a cluster."""

    engine: Engine = setting("local", "`ray`: actors that each load the model once ([ray] extra).")
    ray_address: str | None = setting(
        None, "ray: a cluster that runs already (default: one is started here).", metavar="ADDRESS"
    )
    ray_workers: int = setting(2, "ray: actors at work at once.", least=1)
    ray_gpus_per_worker: float = setting(0.0, "ray: GPUs of each actor, 0.5 to share one.", least=0)
    ray_rows: int = setting(2000, "ray: most rows of a task, which is what a kill loses.", least=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        idle = [one.name for one in settings_of(type(self)) if getattr(self, one.name) != one.default]
        if self.engine == "local" and idle:
            raise BadSetting(
                "has no effect without Ray", setting=idle[0], fix="add --engine ray, or leave it out"
            )
