"""Any backbone gets a head, and what it wants done to pixels."""

import functools

import keras
import numpy as np
import pytest

from perfkit import layers, transfer

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (8, 32, 32, 3)).astype("uint8")
LABELS = np.arange(8) % 4


def mobilenet(**arguments):
    keras.utils.set_random_seed(0)
    shape = {"input_shape": (32, 32, 3), **arguments}
    return keras.applications.MobileNet(
        alpha=0.25, weights=None, **{"include_top": False, **shape}
    )


@pytest.fixture(scope="module")
def backbone():
    return mobilenet()


def numpy(x):
    return np.asarray(keras.ops.convert_to_numpy(x))


@pytest.mark.slow
@pytest.mark.parametrize("head", sorted(transfer.HEADS))
def test_every_head_gives_probabilities_and_is_saved(head, backbone, tmp_path):
    model = transfer.classifier(backbone, 4, head=head, verbose=False)
    out = numpy(model(IMAGES))
    assert out.shape == (8, 4)
    np.testing.assert_allclose(out.sum(axis=1), 1.0, rtol=1e-5)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(numpy(again(IMAGES)), out, rtol=1e-5, atol=1e-6)


def test_pixels_are_prepared_as_keras_does_by_hand(backbone):
    model = transfer.classifier(backbone, 4, activation=None, verbose=False)
    pixels = IMAGES.astype("float32")
    prepared = keras.applications.mobilenet.preprocess_input(pixels)
    features = numpy(backbone(prepared)).mean(axis=(1, 2))
    kernel, bias = map(numpy, model.get_layer("head").weights)
    expected = features @ kernel + bias
    np.testing.assert_allclose(numpy(model(IMAGES)), expected, rtol=1e-4, atol=1e-5)


def test_it_says_which_preprocessing(backbone, capsys):
    transfer.classifier(backbone, 4)
    assert capsys.readouterr().out == (
        "mobilenet_0.25_32: pixels from 0 to 255 become -1 to 1 ('tf'; "
        "`keras.applications.mobilenet` wants it, known by the name "
        "mobilenet_0.25_32)\n"
    )
    layer = keras.layers.Rescaling(1 / 255, name="mine")
    transfer.classifier(backbone, 4, preprocessing=layer)
    assert "pixels go through `mine`" in capsys.readouterr().out
    transfer.classifier(backbone, 4, preprocessing="none", verbose=False)
    assert capsys.readouterr().out == ""


def test_labels_that_exclude_each_other_and_labels_that_do_not(backbone):
    many = transfer.classifier(backbone, 1, multi_label=True, verbose=False)
    logits = keras.Model(many.input, many.get_layer("head").output)
    expected = 1 / (1 + np.exp(-numpy(logits(IMAGES))))
    np.testing.assert_allclose(numpy(many(IMAGES)), expected, rtol=1e-5)
    with pytest.raises(ValueError, match=r"classes=...\).*of at least 2"):
        transfer.classifier(backbone, 1, verbose=False)


def test_half_precision_gives_probabilities_in_float32():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = transfer.classifier(mobilenet(), 4, verbose=False)
        out = model(IMAGES)
    finally:
        keras.config.set_dtype_policy(policy)
    assert keras.backend.standardize_dtype(out.dtype) == "float32"


@pytest.mark.slow
def test_it_trains():
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((32, 32, 3))
    for layer in (keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(8, 3, 2)):
        x = layer(x)
    model = transfer.classifier(keras.Model(inputs, x), 4, head="concat", verbose=False)
    transfer.freeze(model)
    model.compile(
        keras.optimizers.Adam(0.03), "sparse_categorical_crossentropy", jit_compile=True
    )
    colors = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]])
    images = IMAGES // 2 + colors[LABELS][:, None, None] // 2
    losses = model.fit(images, LABELS, epochs=60, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]


def test_a_head_of_ones_own(backbone):
    head = functools.partial(transfer.mlp_head, hidden=(8, 6), pooling="max")
    model = transfer.classifier(backbone, 4, head=head, verbose=False)
    sizes = [x.units for x in model.get_layer("head").layers if hasattr(x, "units")]
    assert sizes == [8, 6, 4]
    layer = keras.Sequential([layers.GeM(), keras.layers.Dense(4)], name="head")
    model = transfer.classifier(backbone, 4, head=layer, verbose=False)
    assert model.get_layer("head") is layer


def test_what_the_input_leaves_open_can_be_given():
    body = mobilenet(input_shape=(None, None, 3))
    model = transfer.classifier(body, 4, input_shape=(48, 64, 3), verbose=False)
    assert model.input_shape == (None, 48, 64, 3)
    assert model(np.zeros((1, 48, 64, 3))).shape == (1, 4)


def test_a_backbone_that_pools_already_gets_no_second_pooling():
    model = transfer.classifier(mobilenet(pooling="avg"), 4, verbose=False)
    assert [x.name for x in model.get_layer("head").layers][-1] == "head_outputs"
    assert len(model.get_layer("head").layers) == 2


@pytest.mark.parametrize("head", ["attention", "concat", "gem"])
def test_a_pooling_that_would_do_nothing_is_an_error(head):
    with pytest.raises(ValueError, match=r"pooling=...\).*pooled already"):
        transfer.classifier(mobilenet(pooling="avg"), 4, head=head, verbose=False)


def test_a_backbone_that_ends_in_classes_is_an_error():
    body = mobilenet(include_top=True, classes=5)
    with pytest.raises(ValueError, match=r"include_top=False.*Received: backbone='mob"):
        transfer.classifier(body, 4, verbose=False)


def test_a_backbone_that_seems_to_end_in_classes_is_warned_of():
    body = mobilenet(include_top=True, classes=5, classifier_activation=None)
    with pytest.warns(UserWarning, match="`predictions`.*include_top=False") as caught:
        transfer.classifier(body, 4, verbose=False)
    assert caught[0].filename == __file__


def unread(mask):
    """Zeros, so that a backbone takes its mask, as Keras 3.12 wants inputs to."""
    return 0.0 * keras.ops.cast(mask, "float32")[..., None]


def test_a_backbone_of_text_keeps_its_padding_out():
    tokens = keras.Input((6,), dtype="int32", name="token_ids")
    mask = keras.Input((6,), dtype="int32", name="padding_mask")
    x = keras.layers.Embedding(20, 4)(tokens) + unread(mask)
    inputs = {"token_ids": tokens, "padding_mask": mask}
    body = keras.Model(inputs, {"sequence": x, "pooled": x[:, 0]}, name="text")
    model = transfer.classifier(body, 3, features="sequence", activation=None)
    ids = RNG.integers(0, 20, (2, 6))
    seen = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0]])
    out = numpy(model({"token_ids": ids, "padding_mask": seen}))
    other = np.where(seen, ids, 7)
    again = numpy(model({"token_ids": other, "padding_mask": seen}))
    np.testing.assert_array_equal(out, again)
    table, kernel, bias = map(numpy, model.weights)
    mean = (table[ids] * seen[..., None]).sum(1) / seen.sum(1, keepdims=True)
    np.testing.assert_allclose(out, mean @ kernel + bias, rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match=r"features=...\).*'sequence', 'pooled'"):
        transfer.classifier(body, 3)


def text():
    tokens = keras.Input((6,), dtype="int32", name="token_ids")
    mask = keras.Input((6,), dtype="int32", name="padding_mask")
    inputs = {"token_ids": tokens, "padding_mask": mask}
    x = keras.layers.Embedding(20, 4)(tokens) + unread(mask)
    return keras.Model(inputs, x, name="text")


@pytest.mark.parametrize("pooling", ["average", "max", "concat", "gem", "attention"])
def test_every_pooling_leaves_padding_out(pooling):
    head = functools.partial(transfer.linear_head, pooling=pooling)
    model = transfer.classifier(text(), 3, head=head)
    ids = RNG.integers(0, 20, (2, 6))
    seen = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0]])
    first, other = (
        numpy(model({"token_ids": tokens, "padding_mask": seen}))
        for tokens in (ids, np.where(seen, ids, (ids + 3) % 20))
    )
    np.testing.assert_array_equal(first, other)


@pytest.mark.parametrize(
    ("pooling", "kind"),
    [
        (None, "GlobalAveragePooling2D"),
        ("average", "GlobalAveragePooling2D"),
        ("max", "GlobalMaxPool"),
        ("concat", "ConcatPool"),
        ("gem", "GeM"),
        ("attention", "AttentionPool"),
    ],
)
def test_a_pooling_is_the_layer_of_its_name(pooling, kind):
    head = transfer.linear_head(3, pooling=pooling)
    assert type(head.layers[0]).__name__ == kind


def test_a_head_that_takes_no_mask_is_an_error_for_padded_features():
    class Last(keras.layers.Layer):
        def call(self, inputs):
            return inputs[:, 0, :3]

    with pytest.raises(ValueError, match=r"classifier\(head=...\).*takes a `mask`"):
        transfer.classifier(text(), 3, head=Last())


def test_a_backbone_of_a_table_or_of_sound():
    table = keras.Sequential([keras.Input((7,)), keras.layers.Dense(5)])
    assert transfer.regressor(table).output_shape == (None, 1)
    sound = keras.Sequential([keras.Input((40, 1)), keras.layers.Conv1D(5, 3)])
    assert transfer.classifier(sound, 3, head="gem").output_shape == (None, 3)


def test_a_task_of_keras_hub_brings_its_own_image_converter(backbone):
    class Task(keras.Model):
        def __init__(self, backbone, preprocessor):
            super().__init__()
            self.backbone, self.preprocessor = backbone, preprocessor

    class Preprocessor(keras.layers.Layer):
        image_converter = keras.layers.Rescaling(1 / 100, name="converter")

    task = Task(backbone, Preprocessor())
    model = transfer.classifier(task, 4, activation=None, verbose=False)
    direct = transfer.classifier(
        backbone,
        4,
        activation=None,
        head=model.get_layer("head"),
        preprocessing=keras.layers.Rescaling(1 / 100),
        verbose=False,
    )
    np.testing.assert_allclose(
        numpy(model(IMAGES)), numpy(direct(IMAGES)), rtol=1e-4, atol=1e-5
    )


def test_regressor_with_an_activation(backbone):
    model = transfer.regressor(backbone, 2, activation="softplus", verbose=False)
    out = numpy(model(IMAGES))
    assert out.shape == (8, 2)
    assert (out > 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"head": "big"},
            r"head=...\).*multi_sample.*Received: head='big'",
        ),
        ({"head": keras.layers.Flatten()}, r"head=...\).*outputs \(batch, 4\), not"),
        ({"preprocessing": "imagenet"}, r"classifier\(preprocessing=...\)"),
        ({"features": 0}, r"classifier\(features=...\).*one output"),
    ],
)
def test_wrong_values(arguments, message, backbone):
    with pytest.raises(ValueError, match=message):
        transfer.classifier(backbone, 4, verbose=False, **arguments)


def test_wrong_types(backbone):
    with pytest.raises(TypeError, match=r"classifier\(backbone=...\)"):
        transfer.classifier("mobilenet", 4)
    with pytest.raises(TypeError, match=r"classifier\(multi_label=...\)"):
        transfer.classifier(backbone, 4, multi_label=1)
    with pytest.raises(ValueError, match=r"backbone=...\).*a built model"):
        transfer.classifier(keras.Sequential([keras.layers.Dense(2)]), 4)


def test_wrong_heads():
    for make in (transfer.linear_head, transfer.mlp_head, transfer.cosine_head):
        with pytest.raises(ValueError, match=r"_head\(units=...\)"):
            make(0)
        with pytest.raises(ValueError, match=r"_head\(pooling=...\)"):
            make(3, pooling="mean")
        with pytest.raises(ValueError, match=r"_head\(rank=...\)"):
            make(3, rank=1)
    with pytest.raises(ValueError, match=r"mlp_head\(hidden=...\)"):
        transfer.mlp_head(3, hidden=())
    with pytest.raises(ValueError, match=r"linear_head\(dropout=...\)"):
        transfer.linear_head(3, dropout=1.0)
