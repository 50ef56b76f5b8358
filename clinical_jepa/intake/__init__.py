"""What comes over a network lands here first: durable files in a spool folder, as they came. ``ingest`` reads them there."""
