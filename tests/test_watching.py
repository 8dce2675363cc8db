"""Functions that make the calls of layers."""

import threading

import keras
import numpy as np

from perfkit.graph.watching import around_calls

X = np.ones((1, 2), "float32")


def noting(notes, name):
    def function(place, call, *arguments, **named):
        notes.append((name, place))
        return call(*arguments, **named)

    return function


def test_contexts_nest_and_leave_the_layers_as_they_were():
    layers = [keras.layers.Dense(2), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((2,)), *layers])
    expected = np.array(model(X))
    before = [dict(vars(layer)) for layer in layers]
    notes = []
    with around_calls(layers, noting(notes, "outer")):
        with around_calls(layers[1:], noting(notes, "inner")):
            np.testing.assert_array_equal(np.array(model(X)), expected)
        assert notes == [("outer", 0), ("inner", 0), ("outer", 1)]
        notes.clear()
        model(X)
        assert notes == [("outer", 0), ("outer", 1)]
    notes.clear()
    model(X)
    assert not notes
    assert [set(vars(layer)) for layer in layers] == [set(each) for each in before]


def test_what_a_function_returns_is_what_the_call_returns():
    layer = keras.layers.Dense(2)
    layer.build((None, 2))

    def twice(place, call, inputs):
        return 2 * call(inputs)

    plain = np.array(layer(X))
    with around_calls([layer], twice):
        np.testing.assert_allclose(np.array(layer(X)), 2 * plain)


def test_another_thread_calls_the_layers_themselves():
    layer = keras.layers.Dense(2)
    layer.build((None, 2))
    notes = []
    with around_calls([layer], noting(notes, "watched")):
        other = threading.Thread(target=layer, args=(X,))
        other.start()
        other.join()
        assert not notes
        layer(X)
    assert notes == [("watched", 0)]
