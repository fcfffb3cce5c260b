"""Which devices a model runs on."""

from __future__ import annotations

from ..errors import ConfigError, first_line
from .extras import require


def find_devices(device: str) -> list[str]:
    """``auto`` (all GPUs, else the CPU), or devices by name with commas between, each of them usable here.

    Raises:
        ConfigError: one is not.
    """
    torch = require("torch")
    if device == "auto":
        n = torch.cuda.device_count() if torch.cuda.is_available() else 0
        return [f"cuda:{i}" for i in range(n)] if n > 1 else ["cuda" if n else "cpu"]
    names = [name.strip() for name in device.split(",")]
    for name in names:
        if name.partition(":")[0] not in ("cpu", "cuda"):
            raise ConfigError(
                f"device {name!r} is not usable here",
                fix="use --device auto, cpu or cuda (device= in Python)",
            )
        try:
            torch.empty(0, device=name)
        except (RuntimeError, AssertionError) as error:
            raise ConfigError(
                f"device {name!r} is not usable here: {first_line(error)}",
                fix="use --device auto or cpu (device= in Python)",
            ) from error
    return names


def one_device(device: str) -> str:
    """The same for a model that lives on one device; ``auto`` takes the first.

    Raises:
        ConfigError: it is not usable here, or several are named.
    """
    first, *others = find_devices(device)
    if others and device != "auto":
        raise ConfigError("this kind of model runs on one device", where=device, fix=f"use {first}")
    return first


def device_kind(device: str) -> str:
    """``cpu`` or ``cuda``."""
    return device.partition(":")[0]


def count_gpus() -> int:
    """How many GPUs torch can use here."""
    torch = require("torch")
    return int(torch.cuda.device_count()) if torch.cuda.is_available() else 0
