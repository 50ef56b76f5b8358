"""Rows by the hundred thousand: candidates in columns, their units, limits and ids, and what became of every line."""
