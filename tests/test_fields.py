"""Operations that bend images, against SciPy's interpolation of the same fields."""

import numpy as np
import pytest
from scipy import interpolate, ndimage

from perfkit import augment
from perfkit._random import Sampler
from perfkit.ops import fields
from tests import oracles
from tests.conformance.common import run_uncompiled
from tests.oracles import BOUNDARY, drawn, noise, to_numpy

HEIGHT, WIDTH = 24, 33
SIZE = (HEIGHT, WIDTH)
LAYERS = {
    "elastic": lambda **more: augment.RandomElasticTransform(seed=3, **more),
    "grid": lambda **more: augment.GridDistortion(distort_limit=0.6, seed=3, **more),
    "plate": lambda **more: augment.ThinPlateSpline((0.4, 0.8), seed=3, **more),
}
each = pytest.mark.parametrize("name", LAYERS)


@pytest.fixture(autouse=True)
def uncompiled(monkeypatch):
    run_uncompiled(monkeypatch)


def close(actual, expected, tolerance=0.05):
    np.testing.assert_allclose(to_numpy(actual), expected, rtol=0, atol=tolerance)


def field_of(layer, batch, height=HEIGHT, width=WIDTH):
    """The tamed field that a layer is going to draw."""
    params = drawn(layer, batch)
    grid = layer.field(params, float(height), float(width))
    return to_numpy(fields.tame(grid, float(height), float(width)))


def read(field, x, y, size=SIZE):
    """SciPy's bilinear reading of one sample's field at places in pixels."""
    rows, columns, _ = field.shape
    place = [y * (rows - 1) / size[0], x * (columns - 1) / size[1]]
    return [
        ndimage.map_coordinates(field[..., k], place, order=1, mode="nearest")
        for k in range(2)
    ]


def centres(height=HEIGHT, width=WIDTH):
    y, x = np.mgrid[:height, :width] + 0.5
    return x, y


def resampled(image, x, y, mode="reflect", order=1, fill=0.0):
    return np.stack(
        [
            ndimage.map_coordinates(
                channel, [y - 0.5, x - 0.5], order=order, mode=BOUNDARY[mode], cval=fill
            )
            for channel in np.moveaxis(image.astype("float64"), -1, 0)
        ],
        axis=-1,
    )


def strong(batch=4, rows=5, columns=7, seed=0):
    grid = np.random.default_rng(seed).normal(0, 9, (batch, rows, columns, 2))
    return to_numpy(fields.tame(grid.astype("float32"), *map(float, SIZE)))


# Fields


def test_a_field_is_bilinear_between_nodes_and_constant_beyond():
    grid = strong()
    rng = np.random.default_rng(1)
    x, y = (
        rng.uniform(-9, WIDTH + 9, (4, 2, 50)),
        rng.uniform(-9, HEIGHT + 9, (4, 2, 50)),
    )
    found = fields.at(grid, x.astype("float32"), y.astype("float32"), *map(float, SIZE))
    expected = [read(*case) for case in zip(grid, x, y, strict=True)]
    close(np.stack(found, axis=1), np.stack(expected), 1e-4)


def test_two_products_read_a_field_at_all_pixels():
    grid = strong()
    expected = [read(one, *centres()) for one in grid]
    close(np.stack(fields.over(grid, *SIZE), axis=1), np.stack(expected), 1e-4)


def test_an_inverted_field_leads_back():
    grid = strong()
    points = np.random.default_rng(1).uniform(-5, 38, (4, 40, 2)).astype("float32")
    seen = to_numpy(fields.invert(grid, points, *map(float, SIZE)))
    assert np.abs(seen - points).max() > 1
    for one, place, point in zip(grid, seen, points, strict=True):
        back = place + np.stack(read(one, *place.T), axis=-1)
        close(back, point, 0.01 * np.abs(grid).max())


def test_a_tamed_field_does_not_fold_and_a_weak_one_is_left_alone():
    wild = np.random.default_rng(0).normal(0, 9, (8, 5, 7, 2)).astype("float32")
    wild[4:] *= 0.02
    grid = to_numpy(fields.tame(wild, *map(float, SIZE)))
    np.testing.assert_array_equal(grid[4:], wild[4:])
    for one in grid[:4]:
        fine = np.mgrid[:480, :660] / 20.0
        dx, dy = read(one, fine[1], fine[0])
        x, y = fine[1] + dx, fine[0] + dy
        down, across = 0, 1
        area = np.gradient(x, axis=across) * np.gradient(y, axis=down)
        area = area - np.gradient(x, axis=down) * np.gradient(y, axis=across)
        assert area.min() > 0
        steep = np.abs(np.diff(dx, axis=across)).max() * 20
        assert steep < 0.76


def test_waves_are_cubic_splines_of_deviation_one():
    bits = np.arange(400, dtype="int32")
    ours = to_numpy(fields.waves(bits, 5))
    assert ours.shape == (400, 41, 41, 2)
    assert abs(ours.std() - 1) < 0.03
    assert abs(np.corrcoef(ours[..., 0].ravel(), ours[..., 1].ravel())[0, 1]) < 0.03
    # A uniform cubic spline through its own values at the nodes, cell by cell.
    knots = np.arange(-3, 9)
    basis = interpolate.BSpline.design_matrix(np.arange(41) / 8, knots, 3).toarray()
    line = ours[0, :, 7, 0].astype("float64")
    controls = np.linalg.lstsq(basis, line, rcond=None)[0]
    close(basis @ controls, line, 1e-4)


@pytest.mark.parametrize("points", [2, 4, 7])
def test_the_plate_is_scipys_thin_plate_spline(points):
    bits = np.arange(3, dtype="int32")
    ours = to_numpy(fields.plate(bits, points)).astype("float64")
    side = np.linspace(0, 1, points)
    controls = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    side = np.linspace(0, 1, 8 * (points - 1) + 1)
    nodes = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    for one in ours:
        shifts = one[::8, ::8].reshape(-1, 2)
        assert shifts.std() > 0.5
        spline = interpolate.RBFInterpolator(
            controls, shifts, kernel="thin_plate_spline", degree=1
        )
        close(one.reshape(-1, 2), spline(nodes), 1e-4)


def test_the_cells_of_a_grid_read_cells_of_the_sizes_drawn():
    rng = np.random.default_rng(0)
    across, down = rng.uniform(0.5, 1.5, (2, 4, 5)).astype("float32")
    ours = to_numpy(fields.stretches(across, down, 24.0, 33.0))
    for one, wide, tall in zip(ours, across, down, strict=True):
        x = np.insert(np.cumsum(wide) / wide.sum() * 33, 0, 0) - np.arange(6) * 33 / 5
        y = np.insert(np.cumsum(tall) / tall.sum() * 24, 0, 0) - np.arange(6) * 24 / 5
        close(one, np.stack(np.meshgrid(x, y), axis=-1), 1e-4)


# Images


@pytest.mark.parametrize(
    ("name", "mode", "how"),
    [
        ("elastic", "reflect", "bilinear"),
        ("elastic", "constant", "bilinear"),
        ("elastic", "constant", "nearest"),
        ("grid", "wrap", "bilinear"),
        ("plate", "nearest", "bilinear"),
    ],
)
def test_images_are_read_where_the_field_says(name, mode, how):
    images = noise(3, *SIZE, 2)
    layer = LAYERS[name](fill_mode=mode, interpolation=how, fill_value=60.0)
    outputs = to_numpy(layer(images))
    assert np.abs(outputs - images).mean() > 5
    for image, ours, field in zip(images, outputs, field_of(layer, 3), strict=True):
        x, y = centres()
        dx, dy = read(field, x, y)
        order = {"nearest": 0, "bilinear": 1}[how]
        expected = resampled(image, x + dx, y + dy, mode, order, 60.0)
        far = np.abs(ours - expected) > 0.1
        assert far.mean() <= (0.005 if how == "nearest" else 0)


@each
def test_a_field_between_matrices_is_one_resample(name):
    images = noise(2, *SIZE, 2)
    crop = augment.CenterCrop(20, 28)
    turns = [augment.RandomRotation((0.1, 0.1)), augment.RandomRotation((-0.2, -0.2))]
    pipeline = augment.Pipeline([turns[0], crop, LAYERS[name](), turns[1]], seed=5)
    first = oracles.translation(-2, -2) @ oracles.rotation(0.1, *SIZE)
    second = oracles.rotation(-0.2, 20, 28)

    def apply(matrix, x, y):
        u, v, _ = matrix @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
        return u.reshape(x.shape), v.reshape(x.shape)

    twin = augment.Pipeline.from_config(pipeline.get_config())
    params = twin.draw(Sampler(2, twin._stream.next_key()), True)
    grid = twin.layers[2].field(params[2], 20.0, 28.0)
    grid = to_numpy(fields.tame(grid, 20.0, 28.0))
    for image, ours, field in zip(
        images, to_numpy(pipeline(images)), grid, strict=True
    ):
        x, y = apply(np.linalg.inv(second), *centres(20, 28))
        dx, dy = read(field, x, y, (20, 28))
        x, y = apply(np.linalg.inv(first), x + dx, y + dy)
        close(ours, resampled(image, x, y))


@each
def test_points_go_where_two_fields_and_a_perspective_show_them(name):
    more = {"fill_mode": "constant", "fill_value": -1e3}
    tilt = augment.RandomPerspective(scale=0.5, fill_value=-1e3)
    layers = [LAYERS[name](**more), tilt, augment.GridDistortion(**more)]
    # Every pixel holds its own place, so the output says where it was read.
    ones = np.ones(SIZE)
    places = np.stack([*centres(), ones], axis=-1)[None].repeat(2, axis=0)
    read_at = to_numpy(augment.Pipeline(layers, seed=5)(places)).reshape(2, -1, 3)
    inside, read_at = read_at[..., 2] > 0.999, read_at[..., :2]
    places = places.astype("float32")
    data = {"images": places, "keypoints": read_at}
    moved = to_numpy(augment.Pipeline(layers, seed=5)(data))["keypoints"]
    expected = places[..., :2].reshape(2, -1, 2)
    assert 0.5 < inside.mean() < 1
    assert np.abs(read_at - expected)[inside].mean() > 0.5
    close(moved[inside], expected[inside])


def test_the_edges_of_a_distorted_grid_stay_where_they_are():
    image = np.tile(np.linspace(0, 255, WIDTH)[None, :, None], (HEIGHT, 1, 1))
    frame = np.array([[0, 0], [WIDTH, 0], [0, HEIGHT], [WIDTH, HEIGHT]], "float32")
    layer = augment.GridDistortion(distort_limit=0.9, seed=1)
    out = to_numpy(layer({"images": image, "keypoints": frame}))
    close(out["keypoints"], frame, 1e-3)


def test_the_strength_of_an_elastic_transform_is_that_of_keras():
    rng = np.random.default_rng(0)
    sigma = 0.05 * 0.4 * 160
    blurred = ndimage.gaussian_filter(rng.normal(size=(160, 160)) * sigma, sigma)
    theirs = (0.1 * 0.4 * 160 * blurred).std()
    layer = augment.RandomElasticTransform(scale=(0.4, 0.4), seed=1)
    ours = field_of(layer, 64, 160, 160).std()
    assert abs(ours / theirs - 1) < 0.1


def test_more_steps_make_smaller_waves():
    def length(steps):
        layer = augment.RandomElasticTransform(scale=0.01, steps=steps, seed=1)
        field = field_of(layer, 32)
        return field.std() / (np.diff(field, axis=1).std() * (field.shape[1] - 1))

    assert 3.5 < length(3) / length(12) < 4.5


def test_samples_have_fields_of_their_own_and_frames_the_same():
    image = noise(1, *SIZE, 1)
    for make in LAYERS.values():
        videos = np.repeat(image[None], 4, axis=0).repeat(3, axis=1)
        out = to_numpy(make()(videos))
        assert np.ptp(out, axis=1).max() < 1e-3
        assert all(np.ptp(out[[0, k]], axis=0).max() > 5 for k in range(1, 4))


# Annotations


@each
def test_keypoints_are_where_their_pixels_are_seen(name):
    layer = LAYERS[name]()
    x, y = centres()
    seen = [
        np.stack([x, y], -1) + np.stack(read(f, x, y), -1) for f in field_of(layer, 3)
    ]
    seen = np.stack(seen)[:, 4:-4:3, 4:-4:3].reshape(3, -1, 2)
    data = {"images": noise(3, *SIZE, 1), "keypoints": seen.astype("float32")}
    expected = np.stack([x, y], axis=-1)[4:-4:3, 4:-4:3].reshape(1, -1, 2)
    close(layer(data)["keypoints"], expected.repeat(3, axis=0), 0.06)


@each
@pytest.mark.parametrize("before", [True, False])
def test_a_box_is_the_hull_of_its_bent_pixels(name, before):
    images = np.zeros((12, 96, 132, 1), "uint8")
    images[:, 30:62, 40:100] = 1
    boxes = np.tile(np.array([[[40, 30, 100, 62]]], "float32"), (12, 1, 1))
    turn = augment.RandomRotation(
        0.05, fill_mode="constant", bounding_box_format="xyxy"
    )
    bend = LAYERS[name](fill_mode="constant")
    layers = [turn, bend] if before else [bend, turn]
    pipeline = augment.Pipeline(layers, seed=1)
    out = to_numpy(
        pipeline(
            {
                "images": images,
                "segmentation_masks": images,
                "bounding_boxes": {"boxes": boxes},
            }
        )
    )
    for mask, box in zip(
        out["segmentation_masks"], out["bounding_boxes"]["boxes"][:, 0], strict=True
    ):
        rows, columns = np.nonzero(mask[..., 0])
        hull = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(box, hull, atol=1.5)
