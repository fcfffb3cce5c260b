"""A study's plan: which comparisons, with which chances, checks, and how many votes they take."""
