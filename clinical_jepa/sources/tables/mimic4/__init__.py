"""MIMIC-IV v2, demo and full layout: ``hosp/`` and ``icu/``. Namespace ``mimic4``."""
