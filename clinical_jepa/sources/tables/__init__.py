"""Research tables: MIMIC-III as published, one CSV a table."""
