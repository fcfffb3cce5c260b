"""What a ranker reads at once."""

from __future__ import annotations

from dataclasses import dataclass

from ..scoring.encoding import Encoded


@dataclass(frozen=True)
class EncodedTrio:
    """Token ids of prompt and both responses; ``marks``: where PairRM's three special tokens are."""

    encoded: Encoded
    marks: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.encoded)

    @property
    def truncated(self) -> bool:
        """True where text was left out."""
        return self.encoded.truncated
