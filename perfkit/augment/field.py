"""The family of operations that bend images."""

from perfkit._backend import ops
from perfkit.augment.geometric import WarpAugment
from perfkit.ops import fields


class FieldAugment(WarpAugment):
    """Read each pixel from beside its place, by a smooth field of displacements.

    In a `Pipeline` the field takes its place among the matrices, and the images are
    still resampled once. The field of a sample in which the image would fold is
    weakened until it does not, so that places keep their order. Keypoints follow
    the same field, found by iteration; a box becomes the hull of its bent outline,
    clipped to the image.

    Args:
        **kwargs: See `WarpAugment`.
    """

    def field(self, params, height, width):
        """Operation: how far from its place each place of the output is read.

        Displacements `(batch, rows, columns, 2)`, x and y in pixels, at nodes spread
        evenly over the image, its edges included; between them they are bilinear.
        """
        raise NotImplementedError

    def transform(self, canvas, params, chosen):
        grid = fields.tame(self.field(params, *canvas.extent), *canvas.extent)
        if chosen is not None:
            grid = ops.where(chosen.mask[:, None, None, None], grid, 0.0)
        canvas.bend(grid, self.sampling(canvas))
