"""The one place that composes configuration, store, model and ledger. ``cli`` and ``flows`` call it; it calls the rooms."""
