"""What every layer must satisfy.

Each check takes a layer class and its `Case`, and says for which it is (`applies`).
"""

from tests.layer_conformance import formats, numbers, programs, saving

CHECKS = [
    function
    for module in (saving, formats, numbers, programs)
    for name, function in sorted(vars(module).items())
    if name.startswith("check_")
]
