"""Visible data → slices of arrivals for the model, time-aligned windows for people. Pure: it never sees the store."""
