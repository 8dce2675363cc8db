"""Ranges of quantized tensors, from histograms of their values."""

import numpy as np

_BINS = 2048
_CLIPS = np.linspace(0.05, 1.0, 96)  # shares of the range that are tried


class Histogram:
    """How often values fell into bins of one width.

    Args:
        low: Least value there will be.
        high: Greatest value there will be.
    """

    def __init__(self, low, high):
        self.low = float(low)
        self.high = float(max(high, low + max(1e-12, 1e-6 * abs(low))))
        self.counts = np.zeros(_BINS)

    def add(self, values) -> None:
        """Count values."""
        places = (np.ravel(values) - self.low) * (_BINS / (self.high - self.low))
        places = np.clip(places.astype("int64"), 0, _BINS - 1)
        self.counts += np.bincount(places, minlength=_BINS)

    @property
    def centers(self) -> np.ndarray:
        """Values in the middle of the bins."""
        step = (self.high - self.low) / _BINS
        return self.low + step * (np.arange(_BINS) + 0.5)


def percentile(histogram: Histogram, share) -> tuple[float, float]:
    """Range that leaves out the outermost values at both ends.

    Args:
        histogram: Of the values.
        share: How many percent of the values are not above the range, and as many not
            below it. Within [50, 100].
    """
    total = np.cumsum(histogram.counts)
    step = (histogram.high - histogram.low) / _BINS
    outside = total[-1] * (1.0 - share / 100.0)
    first = np.searchsorted(total, outside, side="right")
    last = np.searchsorted(total, total[-1] - outside, side="left")
    low = histogram.low + step * min(first, _BINS - 1)
    return low, histogram.low + step * min(last + 1, _BINS)


def least_error(histogram: Histogram, bits=8) -> tuple[float, float]:
    """Range whose levels are nearest to the values, in mean squared error.

    Both ends are drawn in by one share, and then each by itself.
    """
    low, high = min(histogram.low, 0.0), max(histogram.high, 0.0)
    x, counts = histogram.centers, histogram.counts

    def error(ends):
        return float(np.sum(counts * (x - _rounded(x, ends, bits)) ** 2))

    best = min(((low * clip, high * clip) for clip in _CLIPS), key=error)
    best = min((best, *((low * clip, best[1]) for clip in _CLIPS)), key=error)
    return min((best, *((best[0], high * clip) for clip in _CLIPS)), key=error)


def least_divergence(histogram: Histogram, bits=8) -> tuple[float, float]:
    """Range whose levels lose least information, by Kullback and Leibler.

    Migacz, 8-bit Inference with TensorRT, 2017: values outside count as the outermost.
    A range is symmetric about 0, or one of its ends is 0.
    """
    low, high = min(histogram.low, 0.0), max(histogram.high, 0.0)
    most, signed = max(-low, high), low < 0.0 < high
    if most <= 1e-12:  # nothing but zeros
        return low, high
    levels = 2 ** (bits - 1) if signed else 2**bits
    places = np.abs(histogram.centers) * (_BINS / most)
    places = np.clip(places.astype("int64"), 0, _BINS - 1)
    counts = np.bincount(places, weights=histogram.counts, minlength=_BINS)
    counts[0] = counts[1]  # zeros, of which ReLU makes many, have a level anyway
    starts = range(levels, _BINS + 1, max(1, _BINS // 128))
    ends = {end: _divergence(counts, end, levels) for end in starts}
    limit = most * min(ends, key=ends.__getitem__) / _BINS
    return max(low, -limit), min(high, limit)


def _divergence(counts, end, levels) -> float:
    before = counts[:end].copy()
    level = np.arange(end) * levels // end
    occupied = before > 0
    sums = np.bincount(level, weights=before, minlength=levels)
    many = np.bincount(level, weights=occupied, minlength=levels)
    after = np.where(occupied, (sums / np.maximum(many, 1))[level], 0.0)
    before[-1] += counts[end:].sum()
    before, after = before / before.sum(), after / max(after.sum(), 1e-30)
    there = before > 0
    ratio = before[there] / np.maximum(after[there], 1e-10)
    return float(np.sum(before[there] * np.log(ratio)))


def _rounded(x, ends, bits):
    low, high = ends
    scale = max((high - low) / (2**bits - 1), 1e-30)
    zero = np.round(-low / scale)
    steps = np.clip(np.round(x / scale) + zero, 0, 2**bits - 1)
    return (steps - zero) * scale
