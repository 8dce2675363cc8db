"""A model with augmentation inside leaves Keras as a plain TensorFlow graph."""

import keras
import numpy as np
import pytest

from perfkit import augment

IMAGES = np.random.default_rng(0).integers(0, 255, (3, 12, 16, 3)).astype("uint8")


def test_a_model_called_without_saying_augments_as_in_keras():
    model = keras.Sequential([augment.RandomInvert()])
    answers = keras.ops.convert_to_numpy(model(IMAGES))
    assert np.array_equal(answers, 255.0 - IMAGES)


class Learner(keras.Model):
    """Augments in its loss, without saying that it trains."""

    augmentation = keras.Sequential([augment.RandomInvert()])

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, **kwargs):
        return keras.ops.mean(self.augmentation(x)) + 0.0 * keras.ops.mean(y_pred)


@pytest.mark.parametrize("jit_compile", [True, False])
def test_a_train_step_of_ones_own_augments(jit_compile):
    inputs = keras.Input((2, 2, 1))
    model = Learner(inputs, keras.layers.Dense(1)(inputs))
    model.compile("sgd", jit_compile=jit_compile)
    images = np.full((4, 2, 2, 1), 55.0, "float32")
    losses = model.fit(images, np.zeros(4), verbose=0).history["loss"]
    assert losses == [200.0]


@pytest.mark.slow
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="SavedModel is TF's"
)
def test_a_saved_model_needs_no_xla_and_answers_alike(tmp_path):
    import tensorflow as tf

    pipeline = augment.Pipeline(
        [augment.RandomFlip(), augment.Resizing(8, 8), augment.Rescaling(1 / 255)]
    )
    model = keras.Sequential([keras.Input((12, 16, 3), dtype="uint8"), pipeline])
    pipeline(IMAGES)  # has compiled programs, which are not to be saved
    model.export(tmp_path, verbose=False)
    loaded = tf.saved_model.load(tmp_path)
    serve = loaded.serve
    assert np.allclose(serve(IMAGES), pipeline(IMAGES, training=False), atol=1e-5)
    functions = serve.get_concrete_function(
        tf.TensorSpec((3, 12, 16, 3), "uint8")
    ).graph.as_graph_def()
    assert "_XlaMustCompile" not in str(functions)
