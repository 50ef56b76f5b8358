"""MEDS datasets, strict ones and those that come close: reading them, and a validator that names file and row."""
