"""Random pipelines of public operations, each a list of numbers of rows."""

from hypothesis import strategies as st

from perfkit import augment
from tests.cases import CASES, build

SIZERS = {
    augment.RandomCrop,
    augment.RandomResizedCrop,
    augment.CenterCrop,
    augment.Resizing,
    augment.LetterBox,
    augment.BoxSafeCrop,
}
LAST = {augment.Rescaling, augment.Normalization}  # they leave the value range
# Mild ones, which cut nothing off: (operation, arguments).
MILD = [
    (augment.RandomFlip, {}),
    (augment.RandomRotation, {"factor": 0.05}),
    (augment.RandomZoom, {"height_factor": 0.1}),
    (augment.RandomTranslation, {"height_factor": 0.1, "width_factor": 0.1}),
    (augment.RandomShear, {"x_factor": 0.1, "y_factor": 0.1}),
    (augment.RandomAffine, {"rotation_factor": 0.03, "zoom_factor": 0.1}),
    (augment.RandomPerspective, {"scale": 0.2, "fill_mode": "reflect"}),
    (augment.RandomElasticTransform, {"scale": 0.5}),
    (augment.GridDistortion, {"distort_limit": 0.1}),
    (augment.RandomD4, {}),
    (augment.RandomBrightness, {"factor": 0.05}),
    (augment.RandomContrast, {"factor": 0.1}),
    (augment.RandomSaturation, {"factor": (0.45, 0.55)}),
    (augment.RandomHue, {"factor": 0.02}),
    (augment.RandomInvert, {}),
    (augment.RandomGrayscale, {}),
    (augment.ChannelShuffle, {}),
]


def _numbers(rows, condition):
    return [number for number, (op, _) in enumerate(rows) if condition(op)]


def mixed():
    """Operations of all kinds, then perhaps a new size, then perhaps new units."""
    special = SIZERS | LAST | {augment.Pipeline}  # a row that crops and rescales
    first = _numbers(CASES, lambda op: op not in special)
    sizers = _numbers(CASES, lambda op: op in SIZERS)
    last = _numbers(CASES, lambda op: op in LAST)
    parts = [(first, 1, 4), (sizers, 0, 1), (last, 0, 1)]
    lists = [
        st.lists(st.sampled_from(rows), min_size=low, max_size=high)
        for rows, low, high in parts
    ]
    return st.tuples(*lists).map(lambda parts: [n for part in parts for n in part])


def mild():
    """Motions and colours that cut nothing off."""
    return st.lists(st.integers(0, len(MILD) - 1), min_size=2, max_size=5)


def pipeline(numbers, rows=CASES, **kwargs):
    """The pipeline of some rows."""
    layers = [build(*rows[number]) for number in numbers]
    return augment.Pipeline(layers, seed=1, bounding_box_format="xyxy", **kwargs)
