"""One training objective a file; each is a pure function of tensors with its formula and source."""
