"""Research data sets of tables, a folder each: MIMIC-III and -IV, eICU-CRD, the CinC Challenges of 2012 and 2019."""
