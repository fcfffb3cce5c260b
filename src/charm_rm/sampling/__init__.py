"""Instructions drawn from larger sets: duplicates out, filtered, cleared of benchmarks, by strata or clusters."""

from .draw import Drawn, Part, draw_prompts

__all__ = ["Drawn", "Part", "draw_prompts"]
