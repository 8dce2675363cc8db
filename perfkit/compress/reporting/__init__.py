"""What a model or a file costs, and what it is worth."""

OWNER = "report"  # for errors
