"""Filters of the pixels around each pixel, of one image of bytes at a time."""

import numpy as np

from perfkit.ops import blur
from perfkit.ops.host import cv2, flat


def gaussian(image, sigma, kernel_size):
    """See `perfkit.ops.blur.gaussian`; `kernel_size` is height and width."""
    if sigma <= 0.0:
        return image
    # `cv2.GaussianBlur` is exact to the bit, and takes twice as long.
    down, along = [cv2().getGaussianKernel(n, float(sigma)) for n in kernel_size]
    return cv2().sepFilter2D(flat(image), -1, along, down)


def lines(turns, direction, length, kernel_size):
    """Kernels of `perfkit.ops.blur.motion`, `(samples, kernel_size, kernel_size)`.

    Arguments as there, but `(samples,)`.
    """
    turns, direction, length = turns[:, None], direction[:, None], length[:, None]
    lies, low, part, weights = blur.line(turns, direction, length, kernel_size)
    kernels = np.zeros((len(low), kernel_size, kernel_size), "float32")
    sample, along = np.arange(len(low))[:, None], np.arange(kernel_size)
    across = low.astype("int64") + kernel_size // 2
    kernels[sample, across, along] = weights * (1.0 - part)
    beyond = np.minimum(across + 1, kernel_size - 1)
    kernels[sample, beyond, along] += weights * part
    return np.where(lies[..., None], kernels, kernels.transpose(0, 2, 1))


def motion(image, kernel):
    """See `perfkit.ops.blur.motion`; the kernel is one of `lines`."""
    return cv2().filter2D(flat(image), -1, kernel)


def median(image, size):
    """See `perfkit.ops.median.median`."""
    if image.shape[-1] in (1, 3, 4):  # what OpenCV takes
        return cv2().medianBlur(flat(image), size)
    planes = [cv2().medianBlur(plane, size) for plane in cv2().split(image)]
    return cv2().merge(planes)


def sharpen(image, factor):
    """See `perfkit.ops.filters.sharpen`."""
    image, factor = flat(image), float(factor)
    # The kernel is 1s and a 5 in the middle, by 13: a sum of 9 pixels, and 4 times one.
    total = cv2().boxFilter(image, cv2().CV_32F, (3, 3), normalize=False)
    part = (1.0 - factor) / 13.0
    return cv2().addWeighted(
        image, 1.0 - 9.0 * part, total, part, 0.0, dtype=cv2().CV_8U
    )


def nearest(image, height, width):
    """Reduce to a height and width and enlarge again; see `ops.downscale.nearest`."""
    tall, wide, _ = image.shape
    block = np.arange(height)
    rows = image[(2 * block + 1) * tall // (2 * height)]
    column, row = np.arange(wide), np.arange(tall)
    block = (2 * column + 1) * width // (2 * wide)
    rows = _columns(rows, (2 * block + 1) * wide // (2 * width))
    return rows[(2 * row + 1) * height // (2 * tall)]


def _columns(image, where):
    """Some columns of an image."""
    if image.shape[-1] != 3:
        return image.take(where, axis=1)
    # NumPy is twice as fast with words as with three bytes.
    words = cv2().cvtColor(image, cv2().COLOR_RGB2RGBA).view("uint32")
    words = words[..., 0].take(where, axis=1)[..., None]
    return cv2().cvtColor(words.view("uint8"), cv2().COLOR_RGBA2RGB)


def jpeg(image, quality, subsample):
    """Encode and decode; see `perfkit.ops.jpeg`.

    Args:
        image: RGB and further channels, which stay, or one or two without colour.
        quality: libjpeg's, 1 to 100.
        subsample: Whether chroma is kept at half the height and width.
    """
    if image.shape[-1] < 3:
        planes = [np.ascontiguousarray(image[..., k]) for k in range(image.shape[-1])]
        gray = cv2().IMREAD_GRAYSCALE
        planes = [_jpeg(plane, quality, False, gray) for plane in planes]
        return np.stack(planes, axis=-1)
    rgb = image if image.shape[-1] == 3 else np.ascontiguousarray(image[..., :3])
    bgr = cv2().cvtColor(rgb, cv2().COLOR_RGB2BGR)
    rgb = _jpeg(bgr, quality, subsample, cv2().IMREAD_COLOR_RGB)
    if image.shape[-1] == 3:
        return rgb
    return np.concatenate([rgb, image[..., 3:]], axis=-1)


def _jpeg(image, quality, subsample, read):
    sampling = "420" if subsample else "444"
    arguments = [
        cv2().IMWRITE_JPEG_QUALITY,
        int(quality),
        cv2().IMWRITE_JPEG_SAMPLING_FACTOR,
        getattr(cv2(), f"IMWRITE_JPEG_SAMPLING_FACTOR_{sampling}"),
    ]
    _, code = cv2().imencode(".jpg", image, arguments)
    return cv2().imdecode(code, read)
