"""Hold back the chatter of TensorFlow's native code."""

import contextlib
import os
import re
import sys
import tempfile

_CHATTER = re.compile(
    rb"[IW]\d{4} \d\d:|\d{4}-\d\d-\d\d [\d:.]+: [IW] tensorflow/"
    rb"|WARNING: All log messages before absl|INFO: Created TensorFlow|fully_quantize: "
    rb"|To enable the following instructions|.*Unable to register cu\w+ factory"
)


@contextlib.contextmanager
def quiet():
    """Drop known chatter from standard error; pass on every other line afterwards.

    Native code writes to the file descriptor, which `contextlib.redirect_stderr`
    does not see. Yields a text stream that still shows at once, for progress.
    """
    sys.stderr.flush()
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(tempfile.TemporaryFile())
        console = os.dup(2)
        stack.callback(_restore, console, log)
        live = sys.stderr
        if _writes_to_console(live):
            live = stack.enter_context(os.fdopen(os.dup(2), "w"))
        os.dup2(log.fileno(), 2)
        yield live


def _writes_to_console(stream):
    try:
        return stream.fileno() == 2
    except (AttributeError, OSError, ValueError):
        return False


def _restore(console, log):
    sys.stderr.flush()
    os.dup2(console, 2)
    os.close(console)
    log.seek(0)
    for line in log:
        if not _CHATTER.match(line):
            os.write(2, line)
