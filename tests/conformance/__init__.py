"""What every augmentation layer must satisfy.

Each check takes `make`, which builds the layer with a fixed seed and any further
arguments. A check says which operations it is for (`applies`), from the attributes
of their class, and whether it is about compiled programs (`compiled`). The others
run uncompiled: a program costs a second, an eager call a few hundredths.
"""

from tests.conformance import (
    annotations,
    draws,
    dtypes,
    host,
    layouts,
    programs,
    saving,
    tf_data,
)

CHECKS = [
    function
    for module in (draws, layouts, dtypes, annotations, host, saving, programs, tf_data)
    for name, function in sorted(vars(module).items())
    if name.startswith("check_")
]
