"""Run the tests on every backend: `python -m tests [pytest arguments]`.

python -m tests                # the default run
python -m tests -m slow        # the slow ones, which CI runs too
python -m tests -m thorough    # what others see already, before a release
"""

import os
import subprocess
import sys
import tempfile

BACKENDS = ("tensorflow", "jax")
# Most of a test's time goes into compiling. Programs are optimized for the suites that
# are about them, where these are slow and on TensorFlow.
PROGRAMS = ("tests/test_conformance.py", "tests/test_hlo.py")
CHEAP = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
# One worker may read an entry of the cache while another writes it; JAX compiles then.
HALF_WRITTEN = "ignore:Error reading persistent compilation cache entry"


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


def selections(backend, arguments):
    """More arguments for pytest, and whether programs are optimized."""
    if backend != "tensorflow" or arguments != ["-m", "slow"]:
        return [([], False)]
    others = [f"--ignore={path}" for path in PROGRAMS]
    return [(list(PROGRAMS), True), (others, False)]


def main(arguments):
    command = [sys.executable, "-m", "pytest", "-n", "auto"]
    command += ["-W", HALF_WRITTEN, *arguments]
    failed = []
    for backend in BACKENDS:
        print(f"\n== {backend} backend", flush=True)
        with tempfile.TemporaryDirectory() as cache:
            for selection, optimized in selections(backend, arguments):
                variables = environment(backend, cache, optimized)
                if subprocess.run([*command, *selection], env=variables).returncode:
                    failed.append(backend)
    if failed:
        sys.exit(f"failed on: {', '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])
