"""Clinical monitoring with a joint-embedding predictive world model."""
