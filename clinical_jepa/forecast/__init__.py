"""What is asked and how sure we are: tasks, labels, eligibility, metrics, calibration, abstention. No torch here."""
