"""A folder or hub id -> a model with one output, its tokenizer, and what is known of it; refused where scores would be random."""
