"""Mean and deviation of tensors without data, against those of data."""

import keras
import numpy as np
import pytest

from perfkit import transfer
from perfkit.graph.moments import Moments, moments
from perfkit.graph.splitting import split
from tests.support import networks
from tests.support.compressing import of_kind, value


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (networks.residual, keras.layers.Add),
        (networks.joined, keras.layers.Concatenate),
        (networks.gated, keras.layers.Multiply),
    ],
)
def test_what_is_known_where_branches_meet_is_what_data_show(make, kind):
    model, x = networks.stirred(make()), networks.images(256)
    if make is not networks.gated:  # which has no batch normalization
        transfer.recalibrate_batch_norm(model, [x], verbose=False)
    steps = split("test", model).model
    merge = of_kind(steps, kind)[0]
    known = moments("test", steps, Moments(np.zeros(1), np.ones(1)))[merge.name]
    seen = value(keras.Model(steps.input, merge.output)(x))
    seen = seen.reshape(-1, seen.shape[-1])
    deviation = seen.std(axis=0)
    assert np.abs((known.mean - seen.mean(axis=0)) / deviation).max() < 0.15
    # Branches that come from the same inputs are not independent, as is supposed.
    ratios = np.sqrt(known.variance) / deviation
    assert 0.85 < ratios.min() <= ratios.max() < 1.25
    low, high = known.range
    outside = np.mean((seen < low) | (seen > high))
    assert outside < 1e-4
    assert high - low < 2.5 * (seen.max() - seen.min())
