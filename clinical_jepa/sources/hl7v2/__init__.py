"""HL7 v2: results, admissions, transfers, discharges and merges, from files, batches and dumps of an MLLP line."""
