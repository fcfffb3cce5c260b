"""The weights of a model folder by name, read one at a time; nothing in them is ever run."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from ...errors import ModelError
from ..extras import require

# In order of preference; .pt is what some authors' own training code writes.
_KINDS = ("model*.safetensors", "*.safetensors", "pytorch_model*.bin", "*.pt")


class Checkpoint:
    """The tensors of the first kind of weight file that a folder has, all shards together."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        found = (sorted(folder.glob(kind)) for kind in _KINDS)
        self.files = next((files for files in found if files), [])

    @cached_property
    def _where(self) -> dict[str, Any]:
        """Name of each tensor -> what gives it."""
        tensors: dict[str, Any] = {}
        for file in self.files:
            if file.suffix == ".safetensors":
                shard = require("safetensors").safe_open(file, framework="pt")
                tensors |= dict.fromkeys(shard.keys(), shard)
            else:
                tensors |= _unpickled(file)
        return tensors

    @property
    def keys(self) -> frozenset[str]:
        """The names of all tensors."""
        return frozenset(self._where)

    def tensor(self, key: str) -> Any:
        """One tensor.

        Raises:
            ModelError: the checkpoint lacks it.
        """
        if key not in self._where:
            raise ModelError(
                f"not a reward model of this kind: the checkpoint lacks {key!r}",
                where=str(self.folder),
                fix="take the whole checkpoint, or say which output is the reward: --reward (docs/models.md)",
            )
        source = self._where[key]
        return source.get_tensor(key) if hasattr(source, "get_tensor") else source

    def shape(self, key: str) -> tuple[int, ...]:
        """The shape of one tensor, which is not read."""
        source = self._where[key]
        return tuple(source.get_slice(key).get_shape() if hasattr(source, "get_slice") else source.shape)

    def under(self, prefix: str) -> dict[str, Any]:
        """All tensors whose name begins with ``prefix``, named without it."""
        return {k.removeprefix(prefix): self.tensor(k) for k in self.keys if k.startswith(prefix)}


def _unpickled(file: Path) -> dict[str, Any]:
    """A torch file's tensors; ``weights_only`` refuses everything that could run."""
    torch = require("torch")
    try:
        tensors = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except RuntimeError:  # the format before torch 1.6 cannot be mapped into memory
        tensors = torch.load(file, map_location="cpu", weights_only=True)
    return {k: v for k, v in tensors.items() if isinstance(v, torch.Tensor)}
