"""What every layer for audio, text or tables must satisfy.

Each check takes `make`, as those of `tests.conformance` do, and finds out what kind of
data the layer is for.
"""

from tests.array_conformance import draws, inputs, programs, saving

CHECKS = [
    function
    for module in (draws, inputs, saving, programs)
    for name, function in sorted(vars(module).items())
    if name.startswith("check_")
]
