"""Operations on single pixel values, against NumPy."""

import numpy as np
import pytest

from perfkit import augment
from tests.oracles import drawn, noise, to_numpy


@pytest.mark.parametrize("value_range", [(0, 255), (0, 1), (-1, 1)])
def test_gamma_is_the_power_of_the_share_of_the_range(value_range):
    low, high = value_range
    images = noise(4, 5, 6, 3, low=low - 0.1, high=high + 0.1)
    layer = augment.RandomGamma((0.5, 2.0), value_range, seed=1)
    factor = drawn(layer, 4)["factor"]
    assert factor.min() < 1 < factor.max()
    share = np.clip((images.astype("float64") - low) / (high - low), 0, 1)
    expected = low + (high - low) * share ** factor[:, None, None, None]
    np.testing.assert_allclose(to_numpy(layer(images)), expected, atol=2e-3)
