"""Run the tests on every backend: `python -m tests [pytest arguments]`.

python -m tests             # the default run
python -m tests -m slow     # the slow ones
"""

import os
import subprocess
import sys
import tempfile

BACKENDS = ("tensorflow", "jax")
# Most of a test's time goes into compiling. The slow tests on TensorFlow run optimized
# programs; on JAX, which has more of them, that would take half an hour.
CHEAP = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"


def environment(backend, cache, optimized):
    cheap = {} if optimized else {"XLA_FLAGS": CHEAP}
    return {
        **cheap,
        "JAX_COMPILATION_CACHE_DIR": cache,  # shared by the workers
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        **os.environ,
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def main(arguments):
    command = [sys.executable, "-m", "pytest", "-n", "auto", *arguments]
    failed = []
    for backend in BACKENDS:
        print(f"\n== {backend} backend", flush=True)
        with tempfile.TemporaryDirectory() as cache:
            optimized = "slow" in arguments and backend == "tensorflow"
            variables = environment(backend, cache, optimized)
            if subprocess.run(command, env=variables).returncode:
                failed.append(backend)
    if failed:
        sys.exit(f"failed on: {', '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])
