"""Codes, units, plausibility limits and identities. The tables are data in ``schemas/``."""
