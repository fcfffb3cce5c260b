"""The human study: comparisons chosen, votes collected blind, and what they say of reward models and judges.

plan -> (serve: people vote) -> analyse, export. Who votes elsewhere imports. `database/` is the only home of SQLAlchemy, `web/` of
FastAPI; the rest are pure verbs over frozen nouns.
"""
