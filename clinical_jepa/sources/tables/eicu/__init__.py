"""eICU-CRD v2.0, demo and full layout: times are minutes since admission to the unit. Namespace ``eicu``."""
