"""Judges and reward models behind an HTTP address: the only home of httpx (``pip install "charm-rm[api]"``)."""
