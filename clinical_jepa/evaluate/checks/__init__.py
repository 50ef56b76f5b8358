"""Checks of a whole ward, each with planted faults that it must catch."""
