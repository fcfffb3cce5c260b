"""Positions: how many a model has, and which texts it may not read side by side.

Some models place tokens, or attend, in one way in short batches and in another in long ones (:class:`Regimes`). A row's score would
then depend on its company. Here rows of one regime alone share a forward pass, so that each score is what the text alone gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..extras import require

# Of a configuration, the first that it has.
_LIMIT_NAMES = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length", "seq_length")
# Relative positions, or none: whatever their configurations say under these names is no limit (XLNet says -1).
_NO_LIMIT = frozenset({"bloom", "funnel", "mt5", "t5", "umt5", "xlnet"})
# RoBERTa and its kin number positions from pad_token_id + 1.
_OFFSET = frozenset(
    {
        "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod", "camembert", "data2vec-text", "longformer",
        "mpnet", "esm", "ibert", "luke", "mluke", "markuplm", "lilt", "layoutlmv3",
    }
)  # fmt: skip
# Whose code has a pad token of its own there, whatever the configuration says.
_FIXED_PAD = {"mpnet": 1}
_PARTS = ("text_config", "encoder", "decoder")

# Whose layers read padding as if it were text (convolutions, Fourier transforms, pooling, hashes, landmarks), or whose head reads
# the last place of the row, padding or not: they get rows of one length, which need none.
_READ_PADDING = frozenset(
    {
        "canine",
        "convbert",
        "fnet",
        "funnel",
        "mra",
        "nystromformer",
        "perceiver",
        "reformer",
        "t5gemma",
        "t5gemma2",
        "xlnet",
        "yoso",
    }
)
_BLOCK_SPARSE = ("big_bird", "bigbird_pegasus")


def position_limit(config: Any, *, stretched: bool = False) -> int | None:
    """Most tokens that a model's positions allow; None: it has no such limit.

    Of a model of several parts (encoder and decoder, text and images) the lowest of its parts. ``stretched``: where positions
    are stretched to the text that is read (dynamic NTK), as far as they may be, which is beyond what the model was trained on.
    """
    found = []
    for part in text_parts(config):
        if (limit := _limit_of(part)) is not None:
            factor = max((r.get("factor") or 1 for r in _ropes(part) if _is_dynamic(r)), default=1)
            found.append(int(limit * factor) if stretched else limit)
    return min(found, default=None)


def _limit_of(config: Any) -> int | None:
    kind = getattr(config, "model_type", "")
    if kind in _NO_LIMIT:
        return None
    for name in _LIMIT_NAMES:
        value = getattr(config, name, None)
        if isinstance(value, int) and value > 0:
            pad = _FIXED_PAD.get(kind, getattr(config, "pad_token_id", None) or 0)
            return value - (pad + 1 if kind in _OFFSET else 0)
    return None


def text_parts(config: Any) -> Iterator[Any]:
    """The configuration, and those of its parts that read text."""
    yield config
    for name in _PARTS:
        part = getattr(config, name, None)
        if hasattr(part, "model_type"):
            yield from text_parts(part)


# --- which rows may share a forward pass --------------------------------------------------------


@dataclass(frozen=True)
class Regimes:
    """How a model's way with positions depends on the longest row of a batch.

    Args:
        switches: lengths above which it changes: LongRoPE's original context. Rows on one side of each may go together.
        exact_above: length above which every length has a way of its own: dynamic NTK, or padding that is read (0). Rows of one
            length alone may go together. None: no such length.
    """

    switches: tuple[int, ...] = ()
    exact_above: int | None = None

    def of(self, length: int, *, answer: int = 0) -> tuple[int, ...]:
        """What rows of one regime have in common, whose text has ``length`` tokens and grows by ``answer`` more at most."""
        across = any(length <= switch < length + answer for switch in self.switches)
        exact = across or (self.exact_above is not None and length + answer > self.exact_above)
        return (*(int(length > switch) for switch in self.switches), length if exact else -1)

    def groups(self, lengths: Sequence[int], *, answer: int = 0) -> list[list[int]]:
        """Numbers of the rows, in groups that may share a forward pass; each keeps their order."""
        groups: dict[tuple[int, ...], list[int]] = {}
        for row, length in enumerate(lengths):
            groups.setdefault(self.of(length, answer=answer), []).append(row)
        return list(groups.values())

    def within(self, limit: int) -> Regimes:
        """Those that rows of at most ``limit`` tokens can meet."""
        exact = self.exact_above if self.exact_above is not None and self.exact_above < limit else None
        return Regimes(tuple(s for s in self.switches if s < limit), exact)

    def __bool__(self) -> bool:
        return bool(self.switches) or self.exact_above is not None

    @property
    def words(self) -> tuple[str, ...]:
        """What a store's key knows of it: nothing where there is one way alone."""
        return (str(self),) if self else ()

    def __str__(self) -> str:
        parts = [f"another way above {switch} tokens" for switch in self.switches]
        if self.exact_above is not None:
            parts.append(f"one length a batch above {self.exact_above} tokens")
        return ", ".join(parts) or "one way"


ONE_REGIME = Regimes()


def find_regimes(*configs: Any) -> Regimes:
    """What configurations say of how positions depend on the batch, of transformers' models and of those with own code.

    Of several, which read the same rows, all of it.
    """
    switches, exact = set(), list[int]()
    for part in (part for config in configs for part in text_parts(config)):
        for rope in _ropes(part):
            original = rope.get("original_max_position_embeddings")
            original = original or getattr(part, "original_max_position_embeddings", None)
            if {"long_factor", "short_factor"} <= set(rope) and isinstance(original, int):
                switches.add(original)
            elif _is_dynamic(rope) and (limit := _limit_of(part)) is not None:
                exact.append(limit)
        exact += _exact_of(part)
    return Regimes(tuple(sorted(switches)), min(exact, default=None))


def original_contexts(config: Any) -> list[int]:
    """Lengths up to which rotary positions are as they were before they were stretched; beyond, code of its own may go another way."""
    found = {
        length
        for part in text_parts(config)
        for rope in _ropes(part)
        if isinstance(length := rope.get("original_max_position_embeddings"), int)
    }
    return sorted(found)


def _exact_of(config: Any) -> list[int]:
    """Lengths above which the architecture reads each length in its own way."""
    kind = getattr(config, "model_type", "")
    if kind in _READ_PADDING:
        return [0]
    if kind in _BLOCK_SPARSE and getattr(config, "attention_type", None) == "block_sparse":
        return [(5 + 2 * config.num_random_blocks) * config.block_size]
    length = getattr(config, "seq_length", None)
    # Qwen's first models, by their own code.
    return [length] if getattr(config, "use_dynamic_ntk", False) and isinstance(length, int) else []


def _is_dynamic(rope: Mapping[str, Any]) -> bool:
    """True where frequencies are made anew for every length above the trained one."""
    return "dynamic" in str(rope.get("rope_type") or rope.get("type") or "")


def _ropes(config: Any) -> Iterator[Mapping[str, Any]]:
    """The settings of rotary positions, those of each kind of layer where they differ."""
    for name in ("rope_parameters", "rope_scaling"):
        found = getattr(config, name, None)
        if isinstance(found, Mapping):
            yield found
            yield from (value for value in found.values() if isinstance(value, Mapping))


# --- running ------------------------------------------------------------------------------------


def run_by_regime(
    regimes: Regimes, rows: Sequence[Any], run: Callable[[Sequence[Any]], Any], *, model: Any = None
) -> Any:
    """``run`` of the rows, a tensor with one value per row: in one go, or of each regime alone, joined in the rows' order.

    ``model``: set back to how it was loaded before each, where it keeps what the last batch made of it.
    """
    groups = regimes.groups([len(row) for row in rows]) if regimes else [list(range(len(rows)))]
    results = []
    for group in groups:
        set_back(model)
        results.append(run([rows[i] for i in group]))
    if len(groups) == 1:
        return results[0]
    torch = require("torch")
    places = torch.tensor([i for group in groups for i in group], device=results[0].device)
    return torch.cat(results)[places.argsort()]


def set_back(model: Any) -> None:
    """Undo what the last batch did to the model.

    BigBird turns to full attention at the first short one, and stays there; dynamic NTK keeps the frequencies of the longest.
    """
    config: Any = getattr(model, "config", None)
    if any(_is_dynamic(rope) for part in text_parts(config) for rope in _ropes(part)):
        for module in model.modules():
            if hasattr(module, "original_inv_freq") and hasattr(module, "original_max_seq_len"):
                module.inv_freq = module.original_inv_freq.to(module.inv_freq.device)
                module.max_seq_len_cached = module.original_max_seq_len
    if getattr(config, "model_type", None) in _BLOCK_SPARSE:
        # The first is the outermost, which passes it on.
        part = next(m for m in model.modules() if hasattr(m, "set_attention_type"))
        part.set_attention_type(config.attention_type)
