"""The live system. Read ``tick.py``: it is the whole of it."""
