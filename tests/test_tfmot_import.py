"""What importing does to `tf.keras` and to the environment, in fresh interpreters."""

import os
import subprocess
import sys

import keras
import pytest

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
OURS = "from perfkit.compress import tfmot"
THEIRS = "import tensorflow_model_optimization"
WARNING = "`tf.keras` was Keras 2"
LOOK = """
import os, keras, tensorflow as tf
ours = (tf.keras.Model, tf.losses.get, tf.optimizers.get)
print(ours == (keras.Model, keras.losses.get, keras.optimizers.get))
print(os.environ.get("TF_USE_LEGACY_KERAS"))
"""
USE = """
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
pruned = tfmot.sparsity.keras.prune_low_magnitude(tfmot.to_tf_keras(model))
print(type(pruned).__module__.partition(".")[0])
"""


def fresh(code, **environment):
    command = [sys.executable, "-c", code]
    variables = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    return subprocess.run(
        command, capture_output=True, text=True, env=variables, check=False
    )


def last_line(text):
    return text.strip().splitlines()[-1]


def slow(code):
    return pytest.param(code, marks=pytest.mark.slow)


@pytest.mark.slow
@pytest.mark.parametrize(
    "before",
    [
        f"import tensorflow; {THEIRS}",
        "",
        slow("import tensorflow"),
        slow("import tf_keras"),
        slow(f"import tensorflow as tf; tf.keras.Model; {THEIRS}"),
        slow(f"{THEIRS}; import keras"),
        slow(f"{THEIRS}; from tensorflow.keras import layers"),
        slow(f"import tensorflow as tf; {THEIRS}; tf.keras.layers, tf.losses.Loss"),
    ],
)
def test_tf_keras_is_keras_3_and_nothing_leaks_whatever_came_before(before):
    done = fresh(f"{before}\n{OURS}\n{LOOK}{USE}{LOOK}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "None", "tf_keras", "True", "None"]


@pytest.mark.slow
def test_where_tf_keras_changes_a_warning_says_so():
    changed = fresh(f"import tensorflow; {THEIRS}; {OURS}")
    assert WARNING in changed.stderr
    assert WARNING not in fresh(f"{THEIRS}; import tensorflow as tf").stderr
    assert WARNING not in fresh(f"import tensorflow; {OURS}; {THEIRS}").stderr


@pytest.mark.slow
@pytest.mark.skipif(not ON_TENSORFLOW, reason="TensorFlow is not loaded yet")
def test_tf_keras_stays_keras_3_if_theirs_is_imported_afterwards():
    done = fresh(f"{OURS}; {THEIRS}\n{LOOK}{USE}{LOOK}")
    # Theirs leaks the variable, and our first use takes it away.
    assert done.stdout.split() == ["True", "1", "tf_keras", "True", "None"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        OURS,
        slow(f"import tensorflow; {OURS}"),
        slow(f"import tensorflow; {THEIRS}; {OURS}"),
    ],
)
def test_who_asks_for_keras_2_is_told_what_to_do(code):
    done = fresh(code, TF_USE_LEGACY_KERAS="1")
    assert done.returncode != 0
    assert "Start without it, and write `tf_keras`" in last_line(done.stderr)


@pytest.mark.slow
def test_a_variable_that_asks_for_keras_3_stays_as_it_is():
    done = fresh(f"{OURS}\n{LOOK}{USE}{LOOK}", TF_USE_LEGACY_KERAS="0")
    assert done.stdout.split() == ["True", "0", "tf_keras", "True", "0"]


@pytest.mark.slow
def test_what_is_not_installed_is_said():
    code = "import sys\nsys.modules['tf_keras'] = None\n"
    done = fresh(f"{code}{OURS}\nimport keras{USE}")
    assert "missing is tf_keras" in last_line(done.stderr)


def test_the_family_leaves_the_bridge_and_the_bridge_leaves_tfmot_for_later():
    code = (
        "import sys, keras, perfkit.compress\n"
        "print('perfkit.compress.tfmot' in sys.modules)\n"
        "before = 'tensorflow' in sys.modules\n"
        f"{OURS}\n"
        "print(before == ('tensorflow' in sys.modules))\n"
        "print({'tf_keras', 'tensorflow_model_optimization'} & set(sys.modules))"
    )
    assert fresh(code).stdout.split() == ["False", "True", "set()"]


def test_dir_names_what_is_there():
    from perfkit.compress import tfmot

    assert {"to_tf_keras", "from_tf_keras", "sparsity"} <= set(dir(tfmot))
    with pytest.raises(AttributeError, match="no attribute 'pruning'"):
        tfmot.pruning  # noqa: B018
