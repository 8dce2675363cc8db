"""Low-rank adapters of the directions of kernels, and their lengths."""

import keras

from perfkit.transfer.adapters.lora import LoRA


@keras.saving.register_keras_serializable(package="perfkit")
class DoRA(LoRA):
    """Learn the length of each unit's weights, and their direction with low rank.

    The kernel of each unit is `m V / |V|` with `V = W + alpha / rank * a b`. The length
    `m` is one number a unit, which begins as `|W|`, and the rest is as in `LoRA`: it
    begins as `W`. For `adapt`. It costs about as many weights as `LoRA`, is slower, as
    `|V|` is computed at each step, and often better at small ranks.

    Args:
        rank: See `LoRA`.
        alpha: See `LoRA`.
        seed: See `LoRA`.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> from perfkit import transfer
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
        >>> report = transfer.adapt(model, DoRA(rank=2))
        >>> [tuple(weight.shape) for weight in model.trainable_weights]
        [(8, 2), (2, 4), (4,)]

    Reference: Liu et al., DoRA: Weight-Decomposed Low-Rank Adaptation, 2024, arXiv
        2402.09353. No gradient goes through `|V|`, as in its section 4.3. Of an
        `Embedding` a unit is what one token gives.
    """

    decomposed = True
