"""Responses -> scores: text to tokens, tokens to batches, batches to numbers, each text once."""
