"""Alert policy and life cycle (pure), the messages they make, and the worker that carries messages to people."""
