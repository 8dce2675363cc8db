"""One row per operation on audio, text or tables. A missing row fails the suite.

A way of combining layers has a row for one of the kinds.
"""

import functools

from perfkit import augment

SPECIAL = [0, 1, 2]
WAVEFORMS = [
    functools.partial(augment.TimeShift, 0.5),
    functools.partial(augment.AudioNoise, (5.0, 20.0), rate=0.5),
    functools.partial(augment.RandomGain, 12.0),
]
SPECTROGRAMS = [
    functools.partial(augment.TimeStretch, (0.5, 2.0)),
    functools.partial(augment.TimeMasking, 6, max_fraction=0.5),
    functools.partial(augment.FrequencyMasking, 4),
]
TOKENS = [
    functools.partial(augment.TokenSwap, 0.5, special_ids=SPECIAL),
    functools.partial(augment.TokenDeletion, 0.3, special_ids=SPECIAL),
    functools.partial(augment.SpanMasking, 4, 0.3, special_ids=SPECIAL),
]
FEATURES = [
    functools.partial(augment.FeatureNoise, 0.5, 1.0),
    functools.partial(augment.RowMixUp, 1.0, classes=3),
]
ARRAY_CASES = [
    (augment.TimeMasking, {"width": 6, "max_fraction": 0.5}),
    (augment.FrequencyMasking, {"width": 4, "fill_mode": "mean"}),
    (augment.TimeStretch, {"speed": (0.5, 2.0)}),
    (augment.TimeShift, {"fraction": 0.5, "fill_mode": "constant"}),
    (augment.RandomGain, {}),
    (augment.AudioNoise, {"snr": (0.0, 10.0), "slope": (-6.0, 6.0)}),
    (augment.AudioMix, {"snr": (0.0, 10.0)}),
    (augment.AudioMixUp, {"alpha": 1.0, "classes": 3}),
    (augment.TokenDropout, {"mask_id": 4, "fraction": 0.5, "special_ids": SPECIAL}),
    (augment.TokenDeletion, {"fraction": 0.5, "special_ids": SPECIAL}),
    (augment.TokenSwap, {"fraction": 0.5, "special_ids": SPECIAL}),
    (
        augment.TokenReplacement,
        {"vocabulary": 30, "fraction": 0.5, "special_ids": SPECIAL},
    ),
    (augment.SpanMasking, {"mask_id": 4, "fraction": 0.3, "special_ids": SPECIAL}),
    (augment.FeatureCorruption, {}),
    (augment.FeatureNoise, {"factor": (0.1, 0.5), "scale": [1.0, 2.0, 3.0] * 8}),
    (augment.RowMixUp, {"alpha": 1.0, "classes": 3}),
    (augment.RowCutMix, {"classes": 3}),
    (augment.Pipeline, {"layers": WAVEFORMS}),
    (augment.Pipeline, {"layers": SPECTROGRAMS}),
    (augment.Pipeline, {"layers": TOKENS}),
    (augment.Pipeline, {"layers": FEATURES}),
    (augment.RandomApply, {"layers": WAVEFORMS, "rate": 0.7}),
    (augment.RandomChoice, {"layers": TOKENS}),
    (augment.SomeOf, {"layers": SPECTROGRAMS, "number": (1, 2)}),
    (augment.RandomOrder, {"layers": WAVEFORMS}),
]


def build(op, arguments, **others):
    """Make the layer of a row, with a fixed seed."""
    arguments = {"seed": 1, **arguments, **others}
    if "layers" in arguments:
        own = {"time_first"} & set(arguments)
        own = {name: arguments.pop(name) for name in own}
        arguments["layers"] = [layer(**own) for layer in arguments["layers"]]
    return op(**arguments)
