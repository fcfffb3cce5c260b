"""What tests of the study share beside the real PostgreSQL: studies in either kind of database."""

from __future__ import annotations

from study_fixtures import clock, either_place, no_sync, place

__all__ = ["clock", "either_place", "no_sync", "place"]
