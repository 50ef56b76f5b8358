"""MIMIC-III v1.4, the demo (lower-case heads) and the full one (upper-case heads). Namespace ``mimic3``."""
