"""Policies that answer prompts on this machine: transformers (:mod:`.local`), and vLLM's engine (:mod:`.engine`), at home here alone."""
