"""How models that compare two responses are built and read: one layout a file."""
