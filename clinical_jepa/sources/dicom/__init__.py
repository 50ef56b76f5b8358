"""DICOM: one picture a file, decoded to dense-is-bright in [0, 1], with its study time and spacing."""
