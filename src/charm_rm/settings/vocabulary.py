"""The words that settings take, each with one meaning everywhere: API, command line, YAML.

``outcome`` says what a win rate is; ``link`` says which equation an offset solves (docs/method.md).
"""

from __future__ import annotations

from typing import Literal

Outcome = Literal["hard", "soft"]  # of a margin: who is preferred, or with what probability
TieRule = Literal["half", "loss"]  # what a margin of 0 counts for the policy
ReadingEngine = Literal["auto", "memory", "streaming"]  # all scores at once, or as they come; auto: by size
Unrated = Literal["error", "skip"]  # policies without a rating: stop, or leave them out
Scope = Literal["sample", "these"]  # favour among policies like these, or among these alone
Link = Literal["hard", "sigmoid"]  # how a margin counts in the equation of an offset
Method = Literal[
    "pair", "joint", "style"
]  # offsets of one policy over its references, or of all at once; weights of style features
Objective = Literal["total-wins", "least-squares"]  # what joint offsets meet
Strategy = Literal["pair", "best-vs-worst", "all-pairs", "sampled"]  # which responses are labelled
AnchorEstimate = Literal["halves", "running", "square"]  # of the squared error of a win rate, from a batch
Labels = Literal["given", "uncalibrated", "random-flips"]  # of pairs that calibration relabelled
Votes = Literal["arena", "all"]  # which votes count: those that the Arena counts, or all
DType = Literal["float32", "bfloat16", "float16", "auto"]
Attention = Literal["auto", "eager", "sdpa", "flash_attention_2"]
Missing = Literal["drop", "keep", "fail"]  # pairs with no verdict in one order
OnError = Literal["fail", "skip"]  # calls of a judge without an answer
TooLong = Literal["fail", "skip"]  # prompts that do not fit a policy
TableKind = Literal[
    "scores", "responses", "judgements", "ratings", "battles", "preferences"
]  # what a table holds
Sample = Literal["first", "mean", "max", "all"]  # of several responses of one policy to one prompt
Engine = Literal["local", "ray"]  # what runs a stage
