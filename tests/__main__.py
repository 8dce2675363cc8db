"""Run the tests on every backend: `python -m tests [pytest arguments]`.

python -m tests             # the default run
python -m tests -m slow     # the slow ones
"""

import os
import subprocess
import sys

BACKENDS = ("tensorflow", "jax")


def main(arguments):
    failed = []
    for backend in BACKENDS:
        print(f"\n== {backend} backend", flush=True)
        environment = {
            **os.environ,
            "KERAS_BACKEND": backend,
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        command = [sys.executable, "-m", "pytest", "-n", "auto", *arguments]
        if subprocess.run(command, env=environment).returncode:
            failed.append(backend)
    if failed:
        sys.exit(f"failed on: {', '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])
