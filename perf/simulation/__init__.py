"""Do the intervals cover, and do the tests keep their size? Simulated audits with known truth, one file a subject."""
