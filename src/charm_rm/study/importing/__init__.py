"""Votes that exist already, as a finished study."""
