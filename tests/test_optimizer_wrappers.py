"""Wrappers of optimizers: what they compute, against optax, NumPy or closed forms."""

import keras
import numpy as np
import optax
import pytest

from perfkit import optimizers
from tests.optimizer_problem import START, distance, gradients, run

STEPS = 50


def sgd(rate=0.05, **options):
    return keras.optimizers.SGD(rate, **options)


def by_optax(transformation, steps=STEPS):
    weights = [np.array(w) for w in START]
    state = transformation.init(weights)
    for _ in range(steps):
        updates, state = transformation.update(gradients(weights), state, weights)
        weights = [np.asarray(w) for w in optax.apply_updates(weights, updates)]
    return weights


@pytest.mark.parametrize(("every", "step_size"), [(6, 0.5), (3, 0.8), (1, 0.2)])
def test_lookahead_is_that_of_optax(every, step_size):
    transformation = optax.lookahead(optax.adam(0.05), every, step_size)
    pair = optax.LookaheadParams.init_synced([np.array(w) for w in START])
    state = transformation.init(pair)
    for _ in range(STEPS):
        values = gradients([np.asarray(w) for w in pair.fast])
        updates, state = transformation.update(values, state, pair)
        pair = optax.apply_updates(pair, updates)
    theirs = [np.asarray(w) for w in pair.fast]
    inner = keras.optimizers.Adam(0.05, epsilon=1e-8)
    ours = run(optimizers.Lookahead(inner, every, step_size), STEPS)
    assert distance(ours, theirs) <= 1e-5


@pytest.mark.parametrize("clipping", [0.01, 0.1])
def test_adaptive_clipping_is_that_of_optax(clipping):
    chain = optax.chain(optax.adaptive_grad_clip(clipping), optax.sgd(0.5))
    wrapped = optimizers.AdaptiveGradientClipping(sgd(0.5), clipping)
    ours, theirs = run(wrapped, STEPS), by_optax(chain)
    assert distance(ours, theirs) <= 1e-5
    assert distance(ours, run(sgd(0.5), STEPS)) > 0.01


def test_adaptive_clipping_lets_weights_of_zero_move():
    variable = keras.Variable(np.zeros((2, 1)))
    wrapped = optimizers.AdaptiveGradientClipping(sgd(1.0), 0.5, epsilon=0.1)
    wrapped.apply([keras.ops.array([[3.0], [4.0]])], [variable])
    np.testing.assert_allclose(variable.numpy(), [[-0.03], [-0.04]], rtol=1e-5)


def test_adaptive_clipping_does_not_stand_beside_other_clipping():
    for options in ({"clipnorm": 1.0}, {"clipvalue": 1.0}, {"global_clipnorm": 1.0}):
        with pytest.raises(ValueError, match="clips twice"):
            optimizers.AdaptiveGradientClipping(sgd(**options))


def test_centred_gradients_have_no_mean_over_what_enters_a_unit():
    weights = [np.array(w) for w in START]
    for _ in range(STEPS):
        values = gradients(weights)
        values[0] = values[0] - values[0].mean(axis=0)
        values[1] = values[1] - values[1].mean(axis=(0, 1, 2))
        weights = [w - 0.05 * g for w, g in zip(weights, values, strict=True)]
    ours = run(optimizers.GradientCentralization(sgd()), STEPS)
    assert distance(ours, weights) <= 1e-5


LAYERS = {
    "Dense": (lambda: keras.layers.Dense(3), (0,)),
    "Conv2D": (lambda: keras.layers.Conv2D(3, 2), (0, 1, 2)),
    "DepthwiseConv2D": (lambda: keras.layers.DepthwiseConv2D(2), (0, 1)),
    "Conv2DTranspose": (lambda: keras.layers.Conv2DTranspose(3, 2), (0, 1, 3)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_units_of_a_layer_are_its_filters(name):
    """Of each only what enters it is centred, and its own weights clip it."""
    make, inside = LAYERS[name]
    layer = make()
    layer(np.zeros((1, 4, 4, 5)))
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=layer.kernel.shape).astype("float32")
    gradient = rng.normal(size=kernel.shape).astype("float32")

    def moved(wrap):
        layer.kernel.assign(kernel)
        wrap(sgd(1.0)).apply([keras.ops.array(gradient)], [layer.kernel])
        return kernel - layer.kernel.numpy()

    centred = moved(optimizers.GradientCentralization)
    expected = gradient - gradient.mean(axis=inside, keepdims=True)
    np.testing.assert_allclose(centred, expected, atol=1e-5)

    clipped = moved(lambda inner: optimizers.AdaptiveGradientClipping(inner, 0.1))
    norms = [
        np.sqrt((x**2).sum(axis=inside, keepdims=True)) for x in (kernel, gradient)
    ]
    expected = gradient * np.minimum(0.1 * norms[0] / norms[1], 1.0)
    np.testing.assert_allclose(clipped, expected, atol=1e-5)


def noise_of(wrapped, steps, size=4096):
    """Noise on two variables, `(steps, 2, size)`."""
    variables = [keras.Variable(np.zeros(size)) for _ in range(2)]
    places = []
    for _ in range(steps):
        wrapped.apply([keras.ops.zeros(size)] * 2, variables)
        places.append([np.array(v.numpy()) for v in variables])
    return -np.diff(np.array(places), axis=0, prepend=0.0)


def test_noise_has_the_variance_of_the_paper_and_is_other_noise_each_time():
    noise = noise_of(optimizers.GradientNoise(sgd(1.0), 0.25, gamma=0.55), 3)
    count = noise.shape[-1]
    for step, of_step in enumerate(noise):
        variance = 0.25 / (1 + step) ** 0.55
        for x in of_step:
            assert abs(x.mean()) < 4 * np.sqrt(variance / count)
            assert abs(x.var() / variance - 1) < 4 * np.sqrt(2 / count)
    rows = noise.reshape(-1, count)
    correlation = np.corrcoef(rows) - np.eye(len(rows))
    assert np.abs(correlation).max() < 4.5 / np.sqrt(count)


def test_noise_depends_on_the_seed_and_on_nothing_else():
    ours = noise_of(optimizers.GradientNoise(sgd(1.0), seed=1), 2, 8)
    again = noise_of(optimizers.GradientNoise(sgd(1.0), seed=1), 2, 8)
    other = noise_of(optimizers.GradientNoise(sgd(1.0), seed=2), 2, 8)
    np.testing.assert_array_equal(ours, again)
    assert (ours != other).all()


def averages_by_numpy(snapshots, decay, warm_up, start=0, every=1):
    average, count = None, 0
    for step, weights in enumerate(snapshots, 1):
        if count == 0:
            average = weights
        if step > start and (step - start) % every == 0:
            stays = (
                decay if warm_up is None else min(decay, 1 - (1 + count) ** -warm_up)
            )
            stays = 0.0 if count == 0 else stays
            average = [
                stays * a + (1 - stays) * w
                for a, w in zip(average, weights, strict=True)
            ]
            count += 1
    return average


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        {"decay": 0.9},
        {"decay": 0.9, "warm_up": None},
        {"decay": 1.0, "warm_up": 1.0},
        {"decay": 1.0, "warm_up": 1.0, "start": 20, "every": 7},
        {"decay": 0.5, "start": 60},
    ],
)
def test_an_average_is_that_of_the_weights_along_the_way(arguments):
    snapshots = [run(sgd(), steps) for steps in range(1, STEPS + 1)]
    wrapped = optimizers.WeightAverage(sgd(), **arguments)
    assert distance(run(wrapped, STEPS), snapshots[-1]) == 0.0
    wrapped.swap()
    ours = [np.array(v.numpy()) for v in wrapped.targets]
    expected = averages_by_numpy(snapshots, **{"warm_up": 2 / 3, **arguments})
    assert distance(ours, expected) <= 1e-5


def test_an_equal_average_is_the_mean():
    wrapped = optimizers.WeightAverage(sgd(), 1.0, warm_up=1.0)
    run(wrapped, STEPS)
    wrapped.swap()
    mean = np.mean([run(sgd(), k)[0] for k in range(1, STEPS + 1)], axis=0)
    np.testing.assert_allclose(wrapped.targets[0].numpy(), mean, atol=1e-5)


@pytest.mark.parametrize(
    ("warm_up", "count", "reached"),
    [
        (2 / 3, 31_600, 0.999),
        (2 / 3, 1_000_000, 0.9999),
        (0.75, 10_000, 0.999),
        (0.75, 215_400, 0.9999),
    ],
)
def test_a_warm_up_reaches_what_timm_says(warm_up, count, reached):
    wrapped = optimizers.WeightAverage(sgd(0.0), 1.0, warm_up=warm_up)
    variable = keras.Variable(np.zeros(1))
    wrapped.build([variable])
    wrapped.count.assign(count)
    wrapped.averages[0].assign(np.ones(1))
    wrapped.apply([keras.ops.zeros(1)], [variable])
    (average,) = wrapped.averages[0].numpy()
    assert average == pytest.approx(reached, abs=0.02 * (1 - reached))


def test_swapping_twice_changes_no_bit():
    wrapped = optimizers.WeightAverage(keras.optimizers.Adam(0.1), 0.9)
    trained = run(wrapped, 5)
    wrapped.swap()
    assert wrapped.averaged
    assert distance(trained, [v.numpy() for v in wrapped.targets]) > 1e-3
    wrapped.swap()
    assert not wrapped.averaged
    for weights, variable in zip(trained, wrapped.targets, strict=True):
        np.testing.assert_array_equal(weights, variable.numpy())


def test_training_with_the_averages_in_place_goes_on_from_the_trained_weights():
    optimizer = optimizers.WeightAverage(sgd(), 0.9)
    trained = run(optimizer, 5)
    optimizer.swap()
    optimizer.apply([keras.ops.zeros(v.shape) for v in optimizer.targets])
    assert not optimizer.averaged
    for weights, variable in zip(trained, optimizer.targets, strict=True):
        np.testing.assert_array_equal(weights, variable.numpy())


def test_rates_by_layer_are_those_of_optimizers_of_their_own():
    """Each variable by itself, with the rate that is its own."""
    expected = []
    for place, factor in enumerate((0.3, 2.0, 1.0)):
        expected.append(run(keras.optimizers.Adam(0.05 * factor), STEPS)[place])
    rates = {"matrix": 0.3, "kernel": 2.0}
    wrapped = optimizers.LayerwiseRates(keras.optimizers.Adam(0.05), rates)
    assert distance(run(wrapped, STEPS), expected) <= 1e-5
    assert wrapped.multipliers == pytest.approx({**rates, "bias": 1.0})


def test_a_rate_of_zero_gates_momentum_and_decay_too():
    inner = sgd(0.05, momentum=0.9, weight_decay=0.1)
    wrapped = optimizers.LayerwiseRates(inner, {"kernel": 0.0})
    ours = run(wrapped, 5)
    np.testing.assert_array_equal(ours[1], START[1])
    assert distance([ours[0]], [START[0]]) > 0.01


def test_a_rate_of_zero_leaves_what_overflows_or_breaks_a_constraint():
    variable = keras.Variable([3.0], constraint=keras.constraints.MaxNorm(1.0))
    wrapped = optimizers.LayerwiseRates(sgd(), {"variable*": 0.0})
    for gradient in (1.0, np.inf):
        wrapped.apply([keras.ops.convert_to_tensor([gradient])], [variable])
    assert variable.numpy().tolist() == [3.0]


def test_rates_by_depth_fall_from_the_last_layer_to_the_first():
    names = ["first", "second", "third"]
    layers = [keras.layers.Dense(2, name=name) for name in names]
    model = keras.Sequential([keras.Input((2,)), *layers])
    wrapped = optimizers.LayerwiseRates(sgd(), {"second/*": 3.0}, by_depth=0.5)
    wrapped.build(model.trainable_variables)
    found = list(wrapped.multipliers.values())
    assert found == pytest.approx([0.25, 0.25, 1.5, 1.5, 1.0, 1.0])


def test_the_last_of_the_patterns_that_match_counts():
    wrapped = optimizers.LayerwiseRates(sgd(), {"*": 0.5, "bias": 2.0})
    run(wrapped, 1)
    assert list(wrapped.multipliers.values()) == [0.5, 0.5, 2.0]


@pytest.mark.parametrize(
    ("rates", "by_depth", "message"),
    [
        (None, None, "given where"),
        ({}, None, "given where"),
        ({"a": -1.0}, None, "rates=...*of at least 0"),
        (["a"], None, "mapping"),
        ({0: 1.0}, None, "mapping of name patterns"),
        (None, 1.5, r"by_depth=.*above 0 and at most 1\.0"),
        (None, 0.0, "by_depth=.*above 0"),
    ],
)
def test_wrong_rates_raise(rates, by_depth, message):
    with pytest.raises((ValueError, TypeError), match=message):
        optimizers.LayerwiseRates(sgd(), rates, by_depth=by_depth)


def test_a_pattern_without_a_match_is_an_error():
    with pytest.raises(
        ValueError, match=r"matrix, kernel, bias.*Received: rates='ker'"
    ):
        run(optimizers.LayerwiseRates(sgd(), {"ker": 0.5}), 1)
    wrapped = optimizers.LayerwiseRates(sgd(), {"kernel": 0.5})
    with pytest.raises(ValueError, match="call `build"):
        wrapped.set("kernel", 1.0)
    run(wrapped, 1)
    with pytest.raises(ValueError, match="pattern='head'"):
        wrapped.set("head", 1.0)


WRONG = [
    (optimizers.Lookahead, {"every": 0}),
    (optimizers.Lookahead, {"step_size": 1.5}),
    (optimizers.AdaptiveGradientClipping, {"clipping": 0.0}),
    (optimizers.AdaptiveGradientClipping, {"epsilon": 0.0}),
    (optimizers.GradientNoise, {"eta": -1.0}),
    (optimizers.GradientNoise, {"gamma": -1.0}),
    (optimizers.GradientNoise, {"seed": 0.5}),
    (optimizers.WeightAverage, {"decay": 1.1}),
    (optimizers.WeightAverage, {"warm_up": 0.0}),
    (optimizers.WeightAverage, {"start": -1}),
    (optimizers.WeightAverage, {"every": 0}),
    (optimizers.SharpnessAware, {"rho": -0.1}),
    (optimizers.SharpnessAware, {"adaptive": 1}),
    (optimizers.SharpnessAware, {"every": 0}),
    (optimizers.Accumulate, {"micro_steps": 0}),
]


@pytest.mark.parametrize(("kind", "arguments"), WRONG)
def test_wrong_arguments_raise_and_are_named(kind, arguments):
    (name,) = arguments
    match = rf"{kind.__name__}\({name}=\.\.\.\)"
    with pytest.raises((ValueError, TypeError), match=match):
        kind(sgd(), **arguments)


def kinds():
    o = optimizers
    return {
        o.Accumulate: {"micro_steps": 2},
        o.AdaptiveGradientClipping: {},
        o.LayerwiseRates: {"by_depth": 0.5},
        o.Lookahead: {},
        o.SharpnessAware: {},
        o.WeightAverage: {},
    }


@pytest.mark.parametrize("kind", kinds())
def test_what_is_inside_has_to_be_an_optimizer_that_does_not_scale_the_loss(kind):
    arguments = kinds()[kind]
    assert type(kind("sgd", **arguments).inner_optimizer) is keras.optimizers.SGD
    with pytest.raises(TypeError, match="inner_optimizer"):
        kind(0.1, **arguments)
    scaled = keras.optimizers.LossScaleOptimizer(sgd())
    for inner in (scaled, sgd(loss_scale_factor=2.0)):
        with pytest.raises(ValueError, match="LossScaleOptimizer` around"):
            kind(inner, **arguments)


ORDER = [
    optimizers.LayerwiseRates,
    optimizers.Lookahead,
    optimizers.SharpnessAware,
    optimizers.WeightAverage,
    optimizers.Accumulate,
]


@pytest.mark.parametrize("outside", range(len(ORDER)))
@pytest.mark.parametrize("inside", range(len(ORDER)))
def test_wrappers_that_meddle_with_each_other_say_which_goes_around(outside, inside):
    inner = ORDER[inside](sgd(), **kinds()[ORDER[inside]])
    outer, arguments = ORDER[outside], kinds()[ORDER[outside]]
    allowed = outside > inside or (outside == inside and outside < 2)
    allowed = allowed and {outside, inside} != {2, 4}
    if allowed:
        outer(inner, **arguments)
        return
    with pytest.raises(ValueError, match=r"inner_optimizer=.* must be"):
        outer(inner, **arguments)


def test_averages_are_kept_once():
    with pytest.raises(ValueError, match="does not average weights"):
        optimizers.WeightAverage(sgd(use_ema=True))


def test_a_wrapper_is_for_the_variables_it_was_built_with():
    wrapped = optimizers.Lookahead(sgd())
    first, other = keras.Variable(1.0), keras.Variable(1.0, name="other")
    with pytest.raises(ValueError, match="call `build"):
        wrapped.apply([keras.ops.array(1.0)])
    wrapped.apply([keras.ops.array(1.0)], [first])
    with pytest.raises(ValueError, match=r"other variables than \['other"):
        wrapped.apply([keras.ops.array(1.0)], [other])


@pytest.mark.parametrize("kind", [k for k in kinds() if k.__name__ != "SharpnessAware"])
def test_a_variable_without_gradient_is_left_alone(kind):
    variables = [keras.Variable([1.0, 1.0], name=name) for name in "ab"]
    wrapped = kind(sgd(0.1), **kinds()[kind])
    wrapped.build(variables)
    for _ in range(2):
        if kind is optimizers.Accumulate:
            wrapped.apply([keras.ops.ones(2)], variables[1:])
        else:
            with pytest.warns(UserWarning, match="Gradients do not exist"):
                wrapped.apply([None, keras.ops.ones(2)], variables)
    np.testing.assert_array_equal(variables[0].numpy(), [1.0, 1.0])
    assert (variables[1].numpy() < 1.0).all()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: optimizers.LayerwiseRates(inner, {"*": 0.5}),
        lambda inner: optimizers.Lookahead(inner, 1),
    ],
)
def test_what_lies_between_keeps_to_constraints(wrap):
    variable = keras.Variable(np.array([[3.0], [4.0]]), name="kernel")
    variable.constraint = keras.constraints.UnitNorm()
    wrap(sgd(1.0)).apply([keras.ops.array([[1.0], [-9.0]])], [variable])
    assert np.linalg.norm(variable.numpy()) == pytest.approx(1.0, rel=1e-4)


def test_clipping_is_seen_through_other_wrappers():
    inner = optimizers.GradientCentralization(sgd(clipnorm=1.0))
    with pytest.raises(ValueError, match="clips twice"):
        optimizers.AdaptiveGradientClipping(inner)


def test_layers_of_the_same_path_are_layers_of_their_own():
    variables = [keras.Variable([1.0], name=name) for name in ("d", "mid", "d")]
    for variable, layer in zip(variables, ("d", "mid", "d"), strict=True):
        variable._path = f"{layer}/kernel"
    wrapped = optimizers.LayerwiseRates(sgd(), by_depth=0.5)
    wrapped.build(variables)
    np.testing.assert_allclose(wrapped.factors.numpy(), [0.25, 0.5, 1.0])
