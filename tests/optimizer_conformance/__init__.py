"""What every optimizer must satisfy.

Each check takes a `Case`. It says for which cases it is (`applies`), and whether it
takes seconds (`compiled`).
"""

from tests.optimizer_conformance import options, saving, training

CHECKS = [
    function
    for module in (saving, training, options)
    for name, function in sorted(vars(module).items())
    if name.startswith("check_")
]
