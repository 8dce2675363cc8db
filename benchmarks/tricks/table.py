"""All rows, by name, in the order of the page."""

from benchmarks.tricks import (
    classifying,
    optimizing,
    penalizing,
    regularizing,
    scheduling,
)

FILES = [regularizing, penalizing, classifying, optimizing, scheduling]
ROWS = [trick for file in FILES for trick in file.TRICKS]
TRICKS = {trick.name: trick for trick in ROWS}
