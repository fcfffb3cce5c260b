"""Pairwise judges: which pairs to ask about, in both orders; prompts, verdicts, position bias; the way to margins."""
