"""Preference pairs + a model -> a fine-tuned reward model, by TRL."""
