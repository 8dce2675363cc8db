"""How pruning ends, goes on in another run, and what is left where one breaks off."""

import keras
import numpy as np
import pytest

from perfkit import compress
from tests.sparse_models import (
    CRITERIA,
    DONE,
    RISING,
    Broken,
    Spy,
    X,
    Y,
    compiled,
    fit,
    model_of,
    numpy,
    zeros,
)


def test_in_the_end_zeros_stay_and_the_optimizer_has_only_its_own():
    own = keras.constraints.MaxNorm(1.0)
    model = compiled(model=model_of(kernel_constraint=own))
    pruning = compress.Pruning(RISING, every=4, criterion="movement")
    fit(model, pruning)
    assert len(model.optimizer.variables) == 2 + 2 * 4
    assert "save_own_variables" not in vars(model.optimizer)
    fit(model, epochs=1)
    assert zeros(model) == DONE
    compress.strip_pruning(model)
    assert model.layers[0].kernel.constraint is own
    fit(model, epochs=1)
    assert set(zeros(model).values()) == {0}


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="of what TensorFlow tracks"
)
@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_model_that_was_pruned_in_training_is_exported(criterion, tmp_path):
    tf = pytest.importorskip("tensorflow")
    model = compiled()
    fit(model, compress.Pruning(RISING, every=3, criterion=criterion))
    model.export(tmp_path / "saved", verbose=False)
    saved = tf.saved_model.load(tmp_path / "saved")
    close = {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(saved.serve(X), numpy(model(X)), **close)
    fit(model, compress.Pruning(RISING, every=3, criterion=criterion))  # once more
    compress.strip_pruning(model)
    model.export(tmp_path / "stripped", verbose=False)


def test_pruning_some_more_begins_with_the_masks_that_are_there():
    model = compiled()
    compress.prune(model, 0.5)
    mask = numpy(model.layers[0].kernel) != 0
    spy = Spy()
    fit(model, compress.Pruning(lambda step: (step == 8, 0.75)), spy)
    counts = [int((kernel == 0).sum()) for kernel in spy.kernels]
    assert counts == [48] * 8 + [72] * 4
    assert not (numpy(model.layers[0].kernel) != 0)[~mask].any()


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_run_that_is_resumed_ends_as_if_it_had_not_broken_off(criterion, tmp_path):
    def callbacks():
        pruning = compress.Pruning(RISING, every=3, criterion=criterion)
        backup = keras.callbacks.BackupAndRestore(tmp_path / criterion)
        return [backup, pruning]

    whole = compiled()
    fit(whole, *callbacks())
    with pytest.raises(RuntimeError, match="power cut"):
        fit(compiled(), *callbacks(), Broken(1))
    resumed = compiled(model=model_of(seed=5))
    fit(resumed, *callbacks())
    for one, other in zip(whole.weights, resumed.weights, strict=True):
        np.testing.assert_array_equal(numpy(one), numpy(other))
    assert zeros(resumed) == DONE


def test_a_run_goes_on_from_a_plain_file_of_its_middle(tmp_path):
    path = tmp_path / "{epoch}.keras"
    saving = keras.callbacks.ModelCheckpoint(path)
    whole = compiled()
    fit(whole, compress.Pruning(RISING, every=5), saving)
    middle = keras.models.load_model(tmp_path / "2.keras")  # a warning is an error
    assert middle.layers[0].kernel.constraint is None
    assert int(numpy(middle.optimizer.iterations)) == 8
    fit(middle, compress.Pruning(RISING, every=5), initial_epoch=2)
    for one, other in zip(whole.weights, middle.weights, strict=True):
        np.testing.assert_array_equal(numpy(one), numpy(other))


@pytest.mark.parametrize("again", ["same", "another", "none", "stripped"])
def test_after_a_run_that_broke_off_zeros_are_kept_until_one_is_done(again):
    model = compiled()
    pruning = compress.Pruning(RISING, every=4, criterion="movement")
    with pytest.raises(RuntimeError, match="power cut"):
        fit(model, pruning, Broken(1))
    held = zeros(model)
    assert 0 < held["a/kernel"] < 72
    if again == "stripped":
        compress.strip_pruning(model)
        assert zeros(model) == held
        fit(model, epochs=1)
        assert set(zeros(model).values()) == {0}
    elif again == "none":
        fit(model, epochs=1)
        assert zeros(model) == held
        pruning.on_train_end()
        assert pruning.report is not None
        assert zeros(model) == DONE
    else:
        other = compress.Pruning(RISING, every=4, criterion="movement")
        fit(model, pruning if again == "same" else other, epochs=1)
        assert zeros(model) == DONE
    assert len(model.optimizer.variables) == 2 + 2 * 4


@pytest.mark.parametrize("criterion", CRITERIA)
def test_two_for_the_same_kernels_are_refused_and_one_goes_on(criterion):
    model = compiled()
    first, second = (
        compress.Pruning(RISING, every=4, criterion=criterion, where=where)
        for where in (None, "b")
    )
    with pytest.raises(RuntimeError, match="power cut"):
        fit(model, first, Broken(1))
    held = zeros(model)
    with pytest.raises(ValueError, match=r"`Pruning\(where=.* other .*, unlike b/kern"):
        fit(model, first, second)
    assert zeros(model) == held
    fit(model, first, epochs=1)
    assert zeros(model) == DONE
    assert len(model.optimizer.variables) == 2 + 2 * 4


def test_after_a_run_that_broke_off_scores_are_not_lost():
    model = compiled()
    pruning = compress.Pruning(RISING, every=4, criterion="movement")
    with pytest.raises(RuntimeError, match="power cut"):
        fit(model, pruning, Broken(1))
    kernel = model.layers[0].kernel
    before = [numpy(slot) for slot in kernel.constraint.memory.slots]
    assert before[1].any()
    pruning.set_model(model)
    for old, slot in zip(before, kernel.constraint.memory.slots, strict=True):
        np.testing.assert_array_equal(numpy(slot), old)


def test_best_weights_that_are_put_back_are_masked_too():
    stopping = keras.callbacks.EarlyStopping(
        "loss", patience=1, restore_best_weights=True, mode="max"
    )
    model = compiled()
    fit(model, stopping, compress.Pruning(RISING, every=4), epochs=5)
    assert set(np.sign(list(zeros(model).values()))) == {1}
    kernel = model.layers[0].kernel
    mask = numpy(kernel.constraint.mask)
    np.testing.assert_array_equal(numpy(kernel) == 0, ~mask)


def test_given_to_evaluate_it_does_nothing():
    model = compiled()
    model.evaluate(X, Y, verbose=0, callbacks=[compress.Pruning(0.5)])
    assert model.layers[0].kernel.constraint is None
    assert len(model.optimizer.variables) == 2 + 2 * 4
    assert set(zeros(model).values()) == {0}
