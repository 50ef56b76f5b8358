"""Leaderboards, reports and the checks that carry the design: leakage, replay, crash, agreement."""
