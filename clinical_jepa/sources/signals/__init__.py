"""Sampled signals of any format, cut into pieces and judged."""
