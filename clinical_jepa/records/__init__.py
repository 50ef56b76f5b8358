"""What is persisted or sent: Arrow schemas and frozen dataclasses, and the error tree. No behaviour.

Every instant is an ``int``: microseconds since 1970-01-01 UTC. Intervals are ``(start, end]``.
"""
