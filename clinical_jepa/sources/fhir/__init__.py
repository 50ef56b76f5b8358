"""FHIR R4, R4B and R5: bulk NDJSON, Bundles and zips of them into events."""
