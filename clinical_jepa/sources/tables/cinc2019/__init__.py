"""PhysioNet/CinC Challenge 2019: hourly rows of ICU stays with a sepsis label, a file each. Namespace ``cinc2019``."""
