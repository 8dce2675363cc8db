"""Where the teacher looks as a target."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.ops import distillation
from perfkit.transfer.distillation.layer_distillation import LayerDistillation


@keras.saving.register_keras_serializable(package="perfkit")
class AttentionDistillation(LayerDistillation):
    """Have features of the student be large where those of the teacher are.

    The mean square over the channels is a map of where features are large. The loss is
    the squared distance of both maps, each scaled to length 1: within [0, 2], the mean
    over the samples. Numbers of channels may differ. Maps of images of another size are
    resized to the teacher's.

    Args:
        teacher_layer_name: See `LayerDistillation`.
        student_layer_name: See `LayerDistillation`.
        data_format: Where the channels of images are: `"channels_last"` or
            `"channels_first"`. None for Keras's default.

    Shape:
        Features `(batch, ..., channels)` with at least one axis between, of equal size
        except for images.

    Raises:
        TypeError: If a layer's name is no text.
        ValueError: If only one is given.

    Example:
        >>> import numpy as np
        >>> loss = AttentionDistillation("conv", "conv")
        >>> teacher = np.array([[[5.0, 5.0], [0.0, 0.0]]])  # large in the first place
        >>> student = np.array([[[0.0], [1.0]]])  # in the second
        >>> round(float(loss.compute_loss(teacher, student)), 4)
        2.0

    Reference: Zagoruyko and Komodakis, Paying More Attention to Attention, 2016, arXiv
        1612.03928. They take the distance itself, whose gradient has no limit as it
        goes to 0; their code the mean over places of its square.
    """

    def __init__(
        self, teacher_layer_name=None, student_layer_name=None, *, data_format=None
    ):
        super().__init__(teacher_layer_name, student_layer_name)
        self.data_format = _check.data_format("AttentionDistillation", data_format)

    def bridge(self, teacher_shape, student_shape):
        teacher_shape, student_shape = tuple(teacher_shape), tuple(student_shape)
        first = self.data_format == "channels_first" and len(teacher_shape) == 4
        places = slice(2, None) if first else slice(1, -1)
        ours, theirs = student_shape[places], teacher_shape[places]
        if len(teacher_shape) < 3 or len(teacher_shape) != len(student_shape):
            _refuse(teacher_shape, student_shape)
        if ours == theirs:
            return None
        if len(teacher_shape) != 4 or None in theirs:
            _refuse(teacher_shape, student_shape)
        return keras.layers.Resizing(*theirs, data_format=self.data_format)

    def distance(self, teacher_outputs, student_outputs):
        first = self.data_format == "channels_first" and len(teacher_outputs.shape) == 4
        teacher, student = (
            distillation.attention(features, 1 if first else -1)
            for features in (teacher_outputs, student_outputs)
        )
        return ops.mean(ops.sum(ops.square(student - teacher), axis=-1))


def _refuse(teacher_shape, student_shape):
    raise ValueError(
        "`AttentionDistillation` needs features of equally many axes, three or more, "
        "and of equal sizes but for channels and for images. Received: teacher "
        f"{teacher_shape}, student {student_shape}"
    )
