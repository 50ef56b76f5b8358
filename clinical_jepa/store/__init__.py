"""Everything on disk: events, signals and images of a ward (``events``), and what the monitor wrote (``ledger``).

Kept light on purpose: the alert worker imports ``store.ledger`` and must start without tables or tensors.
"""
