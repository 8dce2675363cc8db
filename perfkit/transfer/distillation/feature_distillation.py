"""What layers of the teacher make as targets."""

from typing import Any

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.transfer.distillation.layer_distillation import LayerDistillation


@keras.saving.register_keras_serializable(package="perfkit")
class FeatureDistillation(LayerDistillation):
    """Have features of the student predict features of the teacher.

    The loss is the mean squared difference. Where sizes differ, `Distiller` puts an
    bridge behind the student's layer: maps are resized, and a linear map of the
    channels, the same in each place, takes them to the teacher's. It is trained with
    the student, which does not contain it.

    Args:
        teacher_layer_name: See `LayerDistillation`.
        student_layer_name: See `LayerDistillation`.
        data_format: Where the channels of images are: `"channels_last"` or
            `"channels_first"`. None for Keras's default.

    Shape:
        Features `(batch, ..., channels)`. Sizes between may differ for images, of four
        axes, alone.

    Raises:
        TypeError: If a layer's name is no text.
        ValueError: If only one is given; in `Distiller`, if no bridge fits.

    Example:
        >>> import numpy as np
        >>> loss = FeatureDistillation("conv", "conv")
        >>> float(loss.compute_loss(np.zeros((1, 2)), np.array([[1.0, 3.0]])))
        5.0

    Reference: Romero et al., FitNets: Hints for Thin Deep Nets, 2014, arXiv 1412.6550.
        They train up to the hint first; here it is one loss among others from the start
        to the end. Bridges keep the size of maps by resizing, not by the kernel.
    """

    def __init__(
        self, teacher_layer_name=None, student_layer_name=None, *, data_format=None
    ):
        super().__init__(teacher_layer_name, student_layer_name)
        self.data_format = _check.data_format("FeatureDistillation", data_format)

    def bridge(self, teacher_shape, student_shape):
        teacher_shape, student_shape = tuple(teacher_shape), tuple(student_shape)
        if teacher_shape[1:] == student_shape[1:]:
            return None
        first = self.data_format == "channels_first" and len(teacher_shape) == 4
        channels = 1 if first else -1
        width, places = teacher_shape[channels], _without(teacher_shape, channels)
        same = places == _without(student_shape, channels)
        if width is None or len(teacher_shape) != len(student_shape):
            _refuse(teacher_shape, student_shape)
        layers: list[keras.Layer] = []
        if not same:
            if len(teacher_shape) != 4 or None in places:
                _refuse(teacher_shape, student_shape)
            layers.append(keras.layers.Resizing(*places, data_format=self.data_format))
        start: Any = keras.initializers.GlorotUniform(seed=0)  # the same in each run
        if first:
            layers.append(
                keras.layers.Conv2D(
                    width, 1, data_format=self.data_format, kernel_initializer=start
                )
            )
        else:
            layers.append(keras.layers.Dense(width, kernel_initializer=start))
        return keras.Sequential(layers, name="bridge")

    def validate_outputs(self, teacher_outputs, student_outputs):
        super().validate_outputs(teacher_outputs, student_outputs)
        if tuple(teacher_outputs.shape) != tuple(student_outputs.shape):
            raise ValueError(
                "`FeatureDistillation` of features of different sizes needs "
                "`perfkit.transfer.Distiller`, which puts a bridge between. Received:"
                f" teacher {tuple(teacher_outputs.shape)}, student "
                f"{tuple(student_outputs.shape)}"
            )

    def distance(self, teacher_outputs, student_outputs):
        apart = ops.cast(student_outputs, "float32") - ops.cast(
            teacher_outputs, "float32"
        )
        return ops.mean(ops.square(apart))


def _without(shape, channels):
    return shape[2:] if channels == 1 else shape[1:-1]


def _refuse(teacher_shape, student_shape):
    raise ValueError(
        "`FeatureDistillation` has no bridge between features of these shapes: "
        f"teacher {teacher_shape}, student {student_shape}. Numbers of channels may "
        "differ, and for images the height and width, where they are known."
    )
