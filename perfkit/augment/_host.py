"""A canvas on the host: NumPy arrays, and OpenCV for what every pixel takes part in.

Images of bytes stay bytes as long as results are cut off to their range, so that
they are warped, filtered and mixed in fast integer code and mapped by tables. One
image is worked on after the other, as they fit into the processor's cache.
"""

import numpy as np

from perfkit._backend import dtype_of, ops
from perfkit.augment._host_colors import BYTES, Tones, colored
from perfkit.augment.canvas import Canvas
from perfkit.ops.host import colors, cv2, flat
from perfkit.ops.host.warp import warped


class HostCanvas(Canvas):
    """See `Canvas`; images are NumPy arrays."""

    def _go(self, motion, size):
        if self._stages:  # colours go first, or the fill would be mapped too
            self.settle()
        super()._go(motion, size)

    def picture(self):
        return self._painted(self._keeps_bytes())

    def finish(self, dtype):
        self._settle(dtype == "uint8")

    def settle(self):
        self._settle(self._keeps_bytes())

    def _settle(self, whole, exact=False):
        self.images = self._painted(whole, exact)
        motion, self._motion = self._motion, None
        self._stages, self._fill = [], None
        if motion is not None:
            self._move_annotations(motion)

    def _keeps_bytes(self):
        return bool(self._stages) and self._are_bytes()

    def _are_bytes(self):
        """Whether what is pending leaves images of bytes."""
        if self.images.dtype != np.uint8:
            return False
        return not self._stages or self._stages[-1].value_range == BYTES

    def _painted(self, whole, exact=False):
        images = self.images
        if self._motion is not None:
            images = self._warped(images, self._motion)
        return colored(images, self._stages, whole, exact)

    def mean(self):
        if any(isinstance(stage, Tones) for stage in self._stages):
            self.settle()
        motion, self._motion = self._motion, None
        if motion is not None:  # colours are still to come
            self.images = self._warped(self.images, motion)
            self._move_annotations(motion)
        mean = np.stack([_mean(image) for image in self.images])
        for stage in self._stages:
            mean = _through_map(stage.map, mean)
        if self.frames is not None:
            mean = mean.reshape(self.samples, self.frames, -1).mean(axis=1)
        return mean.astype("float32")

    def change(self, filter, params, chosen=None):
        if filter.pointwise:
            params = {name: self.spread(x) for name, x in params.items()}
            mask = None if chosen is None else self.per_image(chosen.mask)
            tones = Tones(filter.pixels, params, mask, filter.value_range)
            self._stages.append(tones)
            return
        whole = filter.value_range in (None, BYTES) and self._are_bytes()
        if whole and filter.amplifies and self.pending:
            self.images = self.images.astype("float32")  # not rounded in between
        self._settle(self._keeps_bytes(), exact=True)
        frames = self.frames or 1
        out = np.empty(self.images.shape, "uint8" if whole else "float32")
        more = {}
        if whole and filter.prepare is not None:
            more = filter.prepare(params, *self.size)
        for sample in range(self.samples):
            rows = slice(sample * frames, (sample + 1) * frames)
            if chosen is not None and not chosen.mask[sample]:
                out[rows] = _cast(self.images[rows], whole)
                continue
            own, beside = [
                {name: x[sample] for name, x in numbers.items()}
                for numbers in (params, more)
            ]
            _filter(filter, self.images[rows], own, beside, out[rows])
        self.images = out

    def _warped(self, images, motion):
        how = motion.sampling
        whole = images.dtype.kind in "iub"
        if whole and how.fill_mode == "constant" and not _holds(images, how.fill_value):
            images = images.astype("float32")
        return warped(
            images,
            motion.path,
            self.size,
            how.interpolation,
            how.fill_mode,
            how.fill_value,
        )

    def _moved_masks(self, motion):
        how = motion.sampling
        moved = warped(
            self.masks,
            motion.path,
            self.size,
            how.mask_interpolation,
            how.fill_mode,
            how.mask_fill_value,
        )
        return ops.cast(moved, dtype_of(self.masks))


def _filter(filter, images, params, more, out):
    """Put the frames of one sample through a filter."""
    if filter.joined:  # frames below each other
        images = images.reshape(1, -1, *images.shape[2:])
        out = out.reshape(images.shape)
    floats = images.dtype != np.uint8 and not filter.amplifies
    if filter.of_bytes is not None and out.dtype == np.uint8 and not floats:
        for image, into in zip(images, out, strict=True):
            if filter.writes:
                into[...] = image
                image = into
            changed = filter.of_bytes(image, {**params, **more})
            if changed is not into:
                into[...] = changed.reshape(image.shape)
        return
    numbers = {name: np.reshape(x, (1, 1, 1, 1)) for name, x in params.items()}
    for image, into in zip(images, out, strict=True):
        result = filter.pixels(image[None].astype("float32", copy=False), numbers)[0]
        into[...] = _cast(result, out.dtype == np.uint8)


def _cast(images, whole):
    """Images that are to be bytes, or are to stay as they are."""
    return colors.whole(images) if whole and images.dtype != np.uint8 else images


def _holds(images, value):
    """Whether images of whole numbers can have a value, but for rounding."""
    bounds = np.iinfo(images.dtype) if images.dtype != bool else np.iinfo("uint8")
    return bounds.min <= value <= bounds.max


def _through_map(m, values):
    if m.mixes:
        return np.sum(m.mix * values[:, None, :], axis=2) + m.offset
    return m.mix * values + m.offset


def _mean(image):
    if image.shape[-1] <= 4:
        return np.array(cv2().mean(flat(image))[: image.shape[-1]])
    return image.mean(axis=(0, 1), dtype="float64")
