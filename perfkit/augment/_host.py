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

_TOP = 255


class HostCanvas(Canvas):
    """See `Canvas`; images are NumPy arrays."""

    _apart = False  # whether colours are mapped before what lies outside is filled

    def _go(self, motion, size):
        if self._has_tones():
            self.settle()
        super()._go(motion, size)
        if self._stages and motion.sampling.fill_mode == "constant":
            self._apart = True

    def picture(self):
        return self._painted(self._keeps_bytes())

    def finish(self, dtype):
        self._settle(dtype == "uint8")

    def settle(self):
        self._settle(self._keeps_bytes())

    def _settle(self, whole, exact=False):
        self.images = self._painted(whole, exact)
        motion, self._motion = self._motion, None
        self._stages, self._fill, self._resampled = [], None, None
        self._apart = False
        if motion is not None:
            self._move_annotations(motion)

    def _keeps_bytes(self):
        return bool(self._stages) and self._are_bytes()

    def _are_bytes(self):
        """Whether what is pending leaves images of bytes."""
        if self.images.dtype != np.uint8:
            return False
        if self._apart and not ((self._fill >= 0.0) & (self._fill <= _TOP)).all():
            return False
        return not self._stages or self._stages[-1].value_range == BYTES

    def _painted(self, whole, exact=False):
        images, coverage = self._values()
        images = colored(images, self._stages, whole, exact)
        if coverage is not None:
            fills = np.broadcast_to(self._fill, (len(images), self.channels))
            for image, part, fill in zip(images, coverage, fills, strict=True):
                _fill(image, part, fill)
        return images

    def _has_tones(self):
        return any(isinstance(stage, Tones) for stage in self._stages)

    def mean(self):
        if self._has_tones():
            self.settle()
        images, coverage = self._values()
        if coverage is None:
            mean, seen = np.stack([_mean(image) for image in images]), 1.0
        else:
            mean, seen = _mean_of_seen(images, coverage)
        for stage in self._stages:
            mean = _through_map(stage.map, mean)
        if coverage is not None:
            mean = seen * mean + (1.0 - seen) * self._fill
        if self.frames is not None:
            mean = mean.reshape(self.samples, self.frames, -1).mean(axis=1)
        return mean.astype("float32")

    @property
    def pending(self):
        # As on the device, which is done with single values at once.
        tones = bool(self._stages) and isinstance(self._stages[-1], Tones)
        return super().pending and not tones

    def change(self, filter, params, chosen=None):
        if filter.pointwise:
            if self._apart:
                self._settle(self._keeps_bytes(), exact=True)
            params = {name: self.spread(x) for name, x in params.items()}
            mask = None if chosen is None else self.per_image(chosen.mask)
            tones = Tones(filter.pixels, params, mask, filter.value_range)
            self._stages.append(tones)
            return
        whole = filter.value_range in (None, BYTES) and self._are_bytes()
        if whole and filter.amplifies and (self._motion or self._stages):
            self.images = self.images.astype("float32")  # not rounded in between
            self._resampled = None
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

    def _values(self):
        if self._motion is None:
            return self.images, None
        if self._resampled is None:
            coverage, motion = None, self._motion
            if self._apart:
                coverage = np.full((*self.images.shape[:3], 1), _TOP, "uint8")
                nothing = motion.sampling._replace(fill_value=0.0)
                coverage = self._warped(coverage, motion._replace(sampling=nothing))
                beyond = motion.sampling._replace(fill_mode="nearest")
                motion = motion._replace(sampling=beyond)
            self._resampled = self._warped(self.images, motion), coverage
        return self._resampled

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


def _fill(image, coverage, value):
    """Write a colour where an image does not cover its frame, 255 standing for all."""
    y, x = np.nonzero(coverage[..., 0] < _TOP)
    if len(y):
        seen = coverage[y, x] * np.float32(1.0 / _TOP)
        blend = seen * image[y, x] + (1.0 - seen) * value
        image[y, x] = _cast(blend, image.dtype == np.uint8)


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


def _mean_of_seen(images, coverage):
    """Means of the pixels that are seen, and which share of all these are."""
    pairs = zip(images, coverage, strict=True)
    seen = np.stack([_mean(part) for part in coverage]) * (1.0 / _TOP)
    total = np.stack([_mean(image * (part > _TOP / 2)) for image, part in pairs])
    return total / np.maximum(seen, 1e-6), seen


def _mean(image):
    if image.shape[-1] <= 4 and image.dtype in (np.uint8, np.float32):
        return np.array(cv2().mean(flat(image))[: image.shape[-1]])
    return image.mean(axis=(0, 1), dtype="float64")
