"""WFDB: bedside waveforms, monitor numerics and alarm annotations of PhysioNet's record format."""
