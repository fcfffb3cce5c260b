"""The tables of a study's database, the same in SQLite and PostgreSQL."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

# Goes up when the tables change; a database of another format is refused with what to do.
FORMAT = 1

metadata = MetaData()

# One row. `provenance` is JSON, the rules of collecting in it; `secret` signs sessions and never leaves the database.
study = Table(
    "study",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True),
    Column("format", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("provenance", Text, nullable=False),
    Column("secret", String(64), nullable=False),
    Column("admin_token_hash", String(64)),
    Column("paused", Boolean, nullable=False, default=False),
    Column("created_at", Float, nullable=False),
)

# `prompt` is JSON: text or a list of messages, as the noun Responses has it; null in a study that was imported without texts.
prompts = Table(
    "prompts",
    metadata,
    Column("prompt_id", Text, primary_key=True),
    Column("prompt", Text),
)

# Only answers that people are to compare. `response` is JSON, too: PostgreSQL's text has no room for the character NUL.
answers = Table(
    "answers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("prompt_id", Text, ForeignKey("prompts.prompt_id"), nullable=False),
    Column("policy", Text, nullable=False),
    Column("response", Text, nullable=False),
    UniqueConstraint("prompt_id", "policy"),
)

# Their tables (Scores or Margins) are Parquet in `blobs`: models have up to millions of rows, which nothing here asks for one by one.
models = Table(
    "models",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("kind", String(8), nullable=False),
)
blobs = Table(
    "blobs",
    metadata,
    Column("name", Text, primary_key=True),  # model:NAME, candidates
    Column("part", Integer, primary_key=True),
    Column("bytes", LargeBinary, nullable=False),
)

# `answer_a`, `answer_b`: of a check one of the two may be an answer to another prompt. Null without texts.
comparisons = Table(
    "comparisons",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("comparison_id", Text, nullable=False, unique=True),
    Column("prompt_id", Text, ForeignKey("prompts.prompt_id"), nullable=False),
    Column("answer_a", Integer, ForeignKey("answers.id")),
    Column("answer_b", Integer, ForeignKey("answers.id")),
    Column("policy_a", Text, nullable=False),
    Column("policy_b", Text, nullable=False),
    Column("kind", String(8), nullable=False),
    Column("inclusion", Float),
    Column("votes_wanted", Integer, nullable=False),
    Column("expected", String(8)),
)

# Tokens are kept as SHA-256 alone.
raters = Table(
    "raters",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("token_hash", String(64), unique=True),
    Column("quota", Integer),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("revoked_at", Float),
)

# `public_id` is random: it is all that the browser sees of an assignment. `vote_id` is the vote that stands, null while it is open; it is set
# in the transaction that adds the vote. `left` (a or b) is null where votes were imported without it.
assignments = Table(
    "assignments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("public_id", String(32), nullable=False, unique=True),
    Column("rater_id", Integer, ForeignKey("raters.id"), nullable=False),
    Column("comparison_id", Integer, ForeignKey("comparisons.id"), nullable=False),
    Column("slot", Integer, nullable=False),
    Column("repeat", Boolean, nullable=False),
    Column("left", String(1)),
    Column("opened_at", Float, nullable=False),
    Column("vote_id", Integer),
    UniqueConstraint("rater_id", "slot"),
    UniqueConstraint("rater_id", "comparison_id", "repeat"),
    # All that is counted of a comparison's assignments, so that counting reads the index alone: every page counts.
    Index("assignments_by_comparison", "comparison_id", "repeat", "vote_id", "opened_at"),
)

# Rows are added, never changed: a vote, and, with choice null, its undoing. The last row of an assignment is what stands. `comment` is JSON.
votes = Table(
    "votes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("assignment_id", Integer, ForeignKey("assignments.id"), nullable=False),
    Column("rater_id", Integer, ForeignKey("raters.id"), nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("choice", String(8)),
    Column("comment", Text),
    Column("seconds", Float),
    Column("voted_at", Float),
    UniqueConstraint("rater_id", "request_id"),
    Index("votes_by_assignment", "assignment_id"),
)
