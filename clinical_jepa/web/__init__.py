"""The ward page: who lies where, at what risk, how old the data are, and who answered. It reads, and writes one thing.

``create_app`` (``app.py``) serves what ``ward.py``, ``bedside.py`` and ``health.py`` read through ``WardState``; the only
write is an acknowledgement. Rendering lies in ``pages/``, pictures in ``charts/``.
"""
