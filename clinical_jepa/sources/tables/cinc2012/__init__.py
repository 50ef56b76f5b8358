"""PhysioNet/CinC Challenge 2012: 48 hours of ICU stays, a text file each, in ``set-a.zip``. Namespace ``cinc2012``."""
