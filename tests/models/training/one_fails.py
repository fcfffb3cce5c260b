"""`charm train` in one of several processes, the second of which fails before its fifth step."""

from __future__ import annotations

import os
from typing import Any

from charm_rm.cli.launched import main
from charm_rm.errors import ModelError
from charm_rm.models.training.trainer import PairTrainer

original = PairTrainer.training_step


def training_step(self: Any, *args: Any, **kwargs: Any) -> Any:
    if os.environ["RANK"] == "1" and self.state.global_step == 4:
        raise ModelError("the second process lost its device", where="cuda:1", fix="look at the device")
    return original(self, *args, **kwargs)


if __name__ == "__main__":
    PairTrainer.training_step = training_step
    main()
