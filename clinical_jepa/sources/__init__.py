"""One folder a format: bytes in, Arrow batches and ``Rejection`` rows out. Sources know nothing of each other."""
