"""Models of several modalities: what each stage joins, and samples that lack some."""

import keras
import numpy as np
import pytest

from perfkit import fusion
from tests import fusion_cases as cases

layers = keras.layers
SIZES = {"image": (8, 8, 3), "text": (6,), "tabular": (5,)}


def encoders():
    image, table = keras.Input((8, 8, 3)), keras.Input((5,))
    text = keras.Input((6,), dtype="int32")
    return {
        "image": keras.Model(image, layers.Conv2D(4, 3, 2, padding="same")(image)),
        "text": keras.Model(text, layers.Embedding(9, 6, mask_zero=True)(text)),
        "tabular": keras.Model(table, layers.Dense(7, activation="relu")(table)),
    }


def data(count, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "image": rng.normal(size=(count, 8, 8, 3)).astype("float32"),
        "text": np.where(
            np.arange(6) < rng.integers(1, 7, (count, 1)),
            rng.integers(1, 9, (count, 6)),
            0,
        ).astype("int32"),
        "tabular": rng.normal(size=(count, 5)).astype("float32"),
    }


def built(stage, **more):
    keras.utils.set_random_seed(1)
    if stage == "early":
        more.setdefault("body", layers.Dense(8, activation="relu"))
    return fusion.multimodal(
        encoders(), head=layers.Dense(2), stage=stage, present=True, **more
    )


STAGES = pytest.mark.parametrize("stage", ["early", "middle", "late"])


@STAGES
def test_a_model_is_what_its_parts_make_one_after_the_other(stage):
    model, x = built(stage), data(4)
    table = cases.presence(3, batch=4)
    found = model.predict({**x, "present": table}, verbose=0)

    def run(layer, x):
        return cases.arrays(layer(x))[0]

    kept = [m for m in model.layers if isinstance(m, keras.Model)]
    encoded = {m.input_shape[1:]: m for m in kept}
    encoded = {key: run(encoded[SIZES[key]], x[key]) for key in SIZES}
    mask = {"text": x["text"] != 0}
    joined = next(
        m
        for m in model.layers
        if isinstance(m, fusion.Fusion) and not isinstance(m, fusion.ModalityDropout)
    )
    heads = [m for m in model.layers if isinstance(m, layers.Dense)]
    for row in range(4):
        here = {key: encoded[key][row] for n, key in enumerate(SIZES) if table[row, n]}
        here = {key: h.reshape(-1, h.shape[-1]) for key, h in here.items()}
        here = {key: h[mask[key][row]] if key in mask else h for key, h in here.items()}
        if stage == "early":
            steps = [
                run(joined.projections[n], here[key])
                for n, key in enumerate(SIZES)
                if key in here
            ]
            if not steps:
                continue
            body, head = heads
            wanted = run(head, run(body, np.concatenate(steps)).mean(0)[None])[0]
        elif stage == "middle":
            widths = [encoded[key].shape[-1] for key in SIZES]
            vectors = [
                here[key].mean(0) if key in here else np.zeros(width)
                for key, width in zip(SIZES, widths, strict=True)
            ]
            wanted = run(heads[0], np.concatenate(vectors)[None])[0]
        else:
            each = [
                run(
                    model.get_layer(f"{heads[0].name.rsplit('_', 1)[0]}_{key}"),
                    here[key].mean(0)[None],
                )[0]
                for key in here
            ]
            wanted = np.mean(each, axis=0) if each else np.zeros(2)
        np.testing.assert_allclose(found[row], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "stage",
    ["early", *(pytest.param(s, marks=pytest.mark.slow) for s in ("middle", "late"))],
)
def test_a_model_trains_with_what_is_absent_and_is_saved(stage, tmp_path):
    model, x = built(stage, modality_dropout=0.2, seed=3), data(16)
    model.compile("sgd", "mse", jit_compile=True)
    table = cases.presence(3, batch=16)
    for number, key in enumerate(("image", None, "tabular")):
        if key:
            x[key][~table[:, number]] = np.nan
    x["text"][~table[:, 1]] = 0
    model.fit({**x, "present": table}, np.ones((16, 2)), batch_size=8, verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    found, again = (
        cases.arrays(m({**x, "present": table}))[0] for m in (model, loaded)
    )
    np.testing.assert_allclose(again, found, rtol=1e-4, atol=1e-5)
    assert [t.name for t in loaded.inputs] == [*SIZES, "present"]


def test_what_is_left_out_is_absent():
    model, x = built("middle"), data(4)
    alone = fusion.complete(model, {"text": x["text"]})
    assert alone["present"].tolist() == [[False, True, False]] * 4
    table = np.array([[False, True, False]] * 4)
    wanted = model.predict({**x, "present": table}, verbose=0)
    np.testing.assert_array_equal(model.predict(alone, verbose=0), wanted)
    given = cases.presence(3, batch=4)
    some = fusion.complete(model, {"text": x["text"], "present": given})
    np.testing.assert_array_equal(some["present"], given & table)
    whole = fusion.complete(model, x)
    assert whole["present"].all()
    assert all(whole[key] is x[key] for key in x)


def test_without_present_and_dropout_there_is_neither_in_the_model():
    model = fusion.multimodal(encoders(), head=layers.Dense(2))
    assert [x.name for x in model.inputs] == list(SIZES)
    assert not any(isinstance(m, fusion.ModalityDropout) for m in model.layers)
    assert fusion.complete(model, data(2)).keys() == SIZES.keys()


def test_late_fusion_takes_a_head_for_each_or_predictions():
    x = data(4)
    heads = {key: layers.Dense(3, name=f"head_{key}") for key in SIZES}
    model = fusion.multimodal(encoders(), head=heads, stage="late")
    assert all(model.get_layer(f"head_{key}") is heads[key] for key in SIZES)
    first, second = (
        keras.Sequential([keras.Input((5,)), layers.Dense(2)]) for _ in "ab"
    )
    pair = {"a": first, "b": second}
    weighted = fusion.multimodal(pair, stage="late", fusion=fusion.WeightedPyramid())
    found = weighted.predict({"a": x["tabular"], "b": x["tabular"]}, verbose=0)
    both = [cases.arrays(m(x["tabular"]))[0] for m in (first, second)]
    np.testing.assert_allclose(found, np.mean(both, axis=0), rtol=1e-3, atol=1e-4)


def test_any_fusion_may_join_early():
    bottleneck = fusion.AttentionBottleneck(8, tokens=2, blocks=1, heads=2)
    model = fusion.multimodal(
        encoders(), fusion=bottleneck, head=layers.Dense(2), stage="early"
    )
    assert model.predict(data(2), verbose=0).shape == (2, 2)
