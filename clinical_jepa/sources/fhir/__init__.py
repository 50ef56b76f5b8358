"""FHIR R4: bulk NDJSON and Bundles into events."""
