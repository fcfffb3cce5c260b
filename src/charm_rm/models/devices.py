"""Which device a model that lives on one runs on."""

from __future__ import annotations

from ..errors import ConfigError
from . import require


def one_device(device: str) -> str:
    """``auto`` (a GPU where there is one) or a device by name, if it is usable here.

    Raises:
        ConfigError: it is not.
    """
    torch = require("torch")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"device {device!r} is not usable here: {str(error).splitlines()[0]}", mend="use auto or cpu"
        ) from error
    return device
