"""Scores larger than memory: partitioned Parquet, brought together by prompt on disk and counted some prompts at a time."""

from .engine import Engine, choose_engine, refuse_streaming
from .stream import ScoreStream, stream_scores

__all__ = ["Engine", "ScoreStream", "choose_engine", "refuse_streaming", "stream_scores"]
