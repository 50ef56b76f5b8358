"""The world model: arrivals in, a persistent memory, risks and quantiles out. Start with ``forecaster.py``."""
