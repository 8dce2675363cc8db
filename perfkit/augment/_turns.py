"""Orders of a few things, drawn per sample, of which each batch has equal shares."""

from perfkit._backend import ops


def places(rng, many):
    """Place of each of `many` things in the order of each sample.

    The things are laid in a circle in an order drawn per batch, and the samples are
    dealt to the places where it is cut. So for a sample any order is as likely, and
    in a batch each thing has each place for the same number of samples but one.

    Returns:
        A list of `many` int32 arrays `(batch,)` of numbers in [0, many).
    """
    start = rng.deal([1.0 / many] * many)
    keys = ops.stack([rng.of_batch(rng.uniform()) for _ in range(many)], axis=0)
    rank = [
        ops.sum(ops.cast(keys < keys[k : k + 1], "int32"), axis=0) for k in range(many)
    ]
    shifted = [one + start for one in rank]
    return [ops.where(one >= many, one - many, one) for one in shifted]
