"""Captions: facts from a record, prose from the facts, and a verifier that reads prose back."""
