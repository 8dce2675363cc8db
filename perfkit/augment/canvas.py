"""A batch of images whose geometry and colours are still to be worked out.

Operations only say what is to happen. Homographies multiply into one and colour
matrices into one, whatever their order, because a bilinear resample and a linear
colour map commute. The work is done once, when the picture is asked for.
"""

from typing import Any

from perfkit._backend import dtype_of, ops
from perfkit.augment.chosen import change
from perfkit.augment.motion import Motion, Sampling, compatible, merge
from perfkit.augment.stage import Stage, then, through
from perfkit.ops import boxes, color, paths, warp

_ANY = Sampling()
_SLACK = 1e-4  # of a box's area: for boxes at the very edge of the image


class Canvas:
    """Images `(samples * frames, height, width, channels)` and their annotations.

    Args:
        images: NHWC images of any dtype.
        frames: Frames per video, which are all changed alike, or `None`.
        masks: `(samples * frames, height, width, channels)`, or `None`.
        boxes: float32 pixel corners `(samples * frames, n, 4)`, or `None`.
        box_labels: `(samples * frames, n)`, or `None`; -1 stands for no box.
        keypoints: float32 `(samples * frames, n, 2 or more)`, x and y in pixels
            first, or `None`.
        labels: Of the samples; only operations that mix samples look at them.
    """

    def __init__(
        self,
        images,
        frames=None,
        masks=None,
        boxes=None,
        box_labels=None,
        keypoints=None,
        labels=None,
    ):
        self.images = images
        self.frames = frames
        self.masks = masks
        self.boxes = boxes
        self.box_labels = box_labels
        self.keypoints = keypoints
        self.labels = labels
        _, height, width, self.channels = ops.shape(images)
        self.size = (height, width)
        self.min_visible = 0.0
        self.rules: list[tuple[str, Any]] = []
        self.fused = True  # whether operations may leave their work to later ones
        self.dealt = True  # whether choices of samples keep to their limits
        self._motion: Motion | None = None
        self._stages: list[Any] = []
        self._fill: Any = None
        self._resampled: Any = None
        self._sources: Any = None

    @property
    def samples(self):
        """Number of samples, as an operation's parameters count them."""
        images = ops.shape(self.images)[0]
        return images if self.frames is None else images // self.frames

    @property
    def extent(self):
        """Height and width: floats where they are static, else float32 scalars."""
        return tuple(
            float(n) if isinstance(n, int) else ops.cast(n, "float32")
            for n in self.size
        )

    def check_channels(self, name) -> None:
        """Raise an error that names the layer if the number of channels is unknown."""
        if not isinstance(self.channels, int):
            raise ValueError(
                f"{name}: images have an unknown number of channels. Say it before the "
                "layer, for batches of RGB `images = tf.ensure_shape(images, (None, "
                "None, None, 3))`."
            )

    def move(self, matrix, size, sampling=_ANY, affine=True) -> None:
        """Send pixels through `matrix`, `(samples, 3, 3)`, into a frame of `size`.

        `affine` says that the last row of the matrix is 0, 0, 1.
        """
        self.rules.append(("finite", ops.all(ops.isfinite(matrix))))
        images = ops.zeros((ops.shape(self.images)[0], 1, 1), "float32")
        path = paths.straight(self.per_image(matrix) + images, affine)
        self._go(Motion(path, sampling), size)

    def bend(self, grid, sampling=_ANY) -> None:
        """Read pixels from beside their place, by a tamed field as in `ops.fields`.

        `grid` is one for each of `samples`; the size stays.
        """
        self.rules.append(("finite", ops.all(ops.isfinite(grid))))
        images = ops.zeros((ops.shape(self.images)[0], 1, 1, 1), "float32")
        path = paths.bent(self.per_image(grid) + images, self.size)
        self._go(Motion(path, sampling), self.size)

    def _go(self, motion, size):
        if self._motion is not None and not compatible(self._motion, motion):
            self.settle()
        if motion.sampling.fill_mode == "constant":  # later colours change it too
            value = motion.sampling.fill_value
            self._fill = ops.zeros((1, self.channels), "float32") + value
        together = self._motion is not None
        self._motion = merge(self._motion, motion) if together else motion
        self.size = size
        self._resampled = self._sources = None

    def paint(self, m, value_range=None, chosen=None) -> None:
        """Map colours linearly, and cut them off at `value_range`.

        Args:
            m: `ColorMatrix` of `samples` images.
            value_range: `(low, high)`, or `None` to leave values as they come.
            chosen: The samples to be changed; `None` stands for all.
        """
        finite = ops.all(ops.isfinite(m.mix)) & ops.all(ops.isfinite(m.offset))
        self.rules.append(("finite", finite))
        bounds = None
        if chosen is not None:
            m = color.select(chosen.mask, m)
        if value_range is not None:
            low, high = [ops.zeros((1, 1), "float32") + edge for edge in value_range]
            if chosen is not None:
                anything = float("inf")
                low = ops.where(chosen.mask[:, None], low, -anything)
                high = ops.where(chosen.mask[:, None], high, anything)
            bounds = (self.per_image(low), self.per_image(high))
        m = color.spread(m, self.channels)
        m = color.ColorMatrix(self.per_image(m.mix), self.per_image(m.offset))
        stage = Stage(m, value_range, bounds)
        if self._fill is not None:
            self._fill = through([stage], self._fill, color.apply_to_colors)
        if self._stages and self._stages[-1].joins(value_range):
            stage = then(self._stages.pop(), stage)
        self._stages.append(stage)

    def mean(self):
        """Mean colour of the picture before any cut-off, `(samples, channels)`."""
        values, coverage = self._values()
        mean = ops.mean(ops.cast(values, "float32"), axis=(1, 2))
        total = color.identity(1)
        for stage in self._stages:
            total = color.compose(stage.map, total)
        if coverage is None:
            mean = color.apply_to_colors(total, mean)
        else:
            seen = ops.mean(coverage, axis=(1, 2))
            offset = total.offset * seen + self._fill * (1.0 - seen)
            mean = color.apply_to_colors(total._replace(offset=offset), mean)
        if self.frames is None:
            return mean
        by_sample = ops.reshape(mean, (self.samples, self.frames, self.channels))
        return ops.mean(by_sample, axis=1)

    def picture(self):
        """The images with all that was asked for done, float32."""
        unfinished = self._motion is not None and self._resampled is None
        apply = color.apply_to_unfinished if unfinished else color.apply
        values, coverage = self._values()
        values = ops.cast(values, "float32")
        if coverage is None:
            return through(self._stages, values, apply)
        fill = self._fill[:, None, None, :]
        if not self._stages:
            return values + (1.0 - coverage) * fill
        seen = values / ops.where(coverage > 0.0, coverage, 1.0)
        seen = through(self._stages, seen, apply)
        return coverage * seen + (1.0 - coverage) * fill

    def _values(self):
        """Resampled pixels in their first colours, and how much of each is known."""
        if self._motion is None:
            return self.images, None
        if self._resampled is None:
            how = self._motion.sampling
            pair = how.interpolation, how.fill_mode
            self._resampled = self._resample(self.images, self._motion.path, *pair)
        return self._resampled

    @property
    def pending(self):
        """Whether there is anything to be done before pixels can be read."""
        return self._motion is not None or bool(self._stages)

    def change(self, filter, params, chosen=None) -> None:
        """Replace the images by what a filter makes of them.

        Where samples were dealt out, only those that may be chosen go through it.

        Args:
            filter: `Filter`.
            params: Dict of `(samples,)` arrays.
            chosen: The samples to be changed; `None` stands for all.
        """
        joined = filter.joined
        self.settle()
        images = ops.cast(self.images, "float32")
        whole = ops.shape(images)
        shape = whole[1:]
        rows = seen = shape
        if self.frames is not None:
            rows = (self.frames, *shape)
            images = ops.reshape(images, (self.samples, *rows))
            seen = (self.frames * shape[0], *shape[1:]) if joined else shape

        def spread(x):
            return (x if joined else self.per_image(x))[:, None, None, None]

        def changed(parts, params):
            some = parts["images"]
            samples = ops.shape(some)[0]
            if self.frames is not None:
                some = ops.reshape(some, (-1, *seen))
            some = filter.pixels(some, {name: spread(x) for name, x in params.items()})
            if self.frames is not None:
                some = ops.reshape(some, (samples, *rows))
            return {"images": some}

        images = change(changed, {"images": images}, params, chosen, self.dealt)
        images = images["images"]
        self.images = images if self.frames is None else ops.reshape(images, whole)

    def spread(self, x):
        """One number a sample as one an image, `(images, 1, 1, 1)`."""
        return self.per_image(x)[:, None, None, None]

    def finish(self, dtype) -> None:
        """Do all that was asked for; `dtype` is what images are cast to next."""
        self.settle()

    def settle(self) -> None:
        """Do all that was asked for, so that pixels themselves can be changed."""
        self.images = self.picture()
        motion, self._motion = self._motion, None
        self._stages, self._fill, self._resampled = [], None, None
        if motion is not None:
            self._move_annotations(motion)

    def redraw(self, resample, matrix, size, sampling) -> None:
        """Replace the images by `resample(images)`; the rest follows `matrix`."""
        self.settle()
        self.images = resample(self.images)
        self.move(matrix, size, sampling)
        motion, self._motion, self._fill = self._motion, None, None
        self._move_annotations(motion)

    def _move_annotations(self, motion):
        if self.masks is not None:
            self.masks = self._moved_masks(motion)
        if self.keypoints is not None:
            moved = paths.move(motion.path, self.keypoints[..., :2])
            rest = self.keypoints[..., 2:]
            self.keypoints = ops.concatenate([moved, rest], axis=-1)
        if self.boxes is not None:
            self.put_boxes(*self._moved_boxes(motion))

    def _moved_masks(self, motion):
        how = motion.sampling
        pair = how.mask_interpolation, how.fill_mode
        masks, coverage = self._resample(self.masks, motion.path, *pair)
        if coverage is not None and how.mask_fill_value != 0.0:
            masks = warp.filled(masks, coverage, how.mask_fill_value)
        return ops.cast(masks, dtype_of(self.masks))

    def seen_boxes(self):
        """Boxes as they will be, and their labels, before the work is done.

        Each is `None` where the canvas has none.
        """
        if self.boxes is None or self._motion is None:
            return self.boxes, self.box_labels
        return self._seen(*self._moved_boxes(self._motion))

    def put_boxes(self, new, whole=None) -> None:
        """Replace the boxes by what is seen of them.

        Those without area lose their label, and those of which less is seen than
        `min_visible` of the area `whole`, `(samples * frames, n)`.
        """
        self.boxes, self.box_labels = self._seen(new, whole)

    def _moved_boxes(self, motion):
        """Boxes cut off at the edges of the image, and their areas before that."""
        height, width = self.extent
        moved = paths.move_boxes(motion.path, self.boxes)
        return boxes.clip(moved, 0.0, 0.0, width, height), boxes.area(moved)

    def _seen(self, corners, whole=None):
        labels = self.box_labels
        if labels is not None:
            area = boxes.area(corners)
            seen = area > 0.0
            if whole is not None and self.min_visible > 0.0:
                share = self.min_visible - _SLACK
                seen = seen & (area >= share * whole)
            labels = ops.where(seen, labels, ops.zeros_like(labels) - 1)
        return corners, labels

    def _resample(self, pixels, path, interpolation, fill_mode):
        if self._sources is None:
            self._sources = paths.sources(path, *self.size)
        x, y = self._sources
        how = interpolation or "nearest"
        return warp.warp(pixels, x, y, how, fill_mode or "nearest")

    def by_sample(self, x):
        """Gather the rows of all frames, `(samples, frames * n, ...)`."""
        if self.frames is None:
            return x
        _, n, *rest = ops.shape(x)
        return ops.reshape(x, (self.samples, self.frames * n, *rest))

    def images_of(self, rows):
        """Numbers of the images of samples, frame by frame."""
        if self.frames is None:
            return rows
        frame = ops.arange(self.frames, dtype="int32")[None, :]
        return ops.reshape(rows[:, None] * self.frames + frame, (-1,))

    def per_image(self, x):
        """Repeat a sample's parameters for each of its frames."""
        if self.frames is None or x.shape[0] == 1:
            return x
        return ops.repeat(x, self.frames, axis=0)
