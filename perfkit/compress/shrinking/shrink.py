"""A smaller model with fewer channels."""

from collections.abc import Callable

import keras

from perfkit import _check
from perfkit.compress.shrinking import _choosing, _measures, _scores
from perfkit.compress.shrinking._round import TRIALS, Options, Round
from perfkit.compress.shrinking.channel_groups import channel_groups
from perfkit.graph.channels import RETURNED, TAKEN
from perfkit.graph.functional import functional
from perfkit.graph.macs import macs

_OF = ("channels", *_measures.SHARES)


def shrink(
    model,
    *,
    keep=0.5,
    of="channels",
    importance: str | Callable = "l2",
    scope="local",
    round_to=8,
    data=None,
    loss=None,
    where=None,
    rounds=1,
    fine_tune: Callable | None = None,
    seed=0,
    strict=True,
    verbose=True,
) -> keras.Model:
    """Take channels out of a model: return a smaller plain one.

    Unlike zeros among its weights, this makes a model faster wherever it runs: layers
    lose channels, and the layers behind them lose the weights for these. Channels that
    are added to each other go together; those that the model takes or returns stay. The
    weights that are left keep their values. Compile the result and train it some epochs
    more. `channel_groups(model)` says what can be cut.

    Where channels go through LayerNormalization, GroupNormalization or
    RMSNormalization, its means are over those that are left.

    Args:
        model: A built Functional or Sequential model; models may be nested in it. It
            stays as it is.
        keep: What share to keep, within (0, 1].
        of: Of what: "channels", of each layer; or "parameters", "macs"
            (multiply-accumulates) or "latency" of the whole model, at most as much.
            Several models are tried then. Latency is measured on this machine, of float
            TFLite files on one thread.
        importance: Which channels matter: "l1" or "l2", norms of the weights that make
            them; "geometric_median", how unlike the others they are; "lamp", scores
            that can be compared between layers; "batch_norm", scales of batch
            normalization; "taylor", how much the loss on `data` changes as they are
            turned down; "random"; or a function from weights `(channels, weights)` to
            scores `(channels,)`, of which the larger ones matter more. Where batch
            normalization follows, which undoes the scale of weights, norms of these say
            little.
        scope: "local": each group of layers keeps the same share; "global": the best
            channels of all groups stay; "isomorphic": the best of groups that consist
            of the same kinds of layers.
        round_to: The number of channels that are left is a multiple of this, and at
            least this, as far as there are so many. At least 1. Most runtimes are
            fastest at multiples of 8.
        data: For "taylor" alone: arrays `(x, y)`, of which 32 samples at a time are a
            batch, or batches of these, a list, `tf.data` or `PyDataset`. Some hundred
            samples are enough.
        loss: For "taylor" alone: a function of targets and outputs; by default what the
            model was compiled with.
        where: Which layers lose channels: a layer, a class, a pattern for names or
            paths, a function of the layer, or a list of these. A group does if all of
            its layers are chosen. `None` for all.
        rounds: In how many rounds, at least 1, each of which scores the channels that
            are left anew. Without `fine_tune` that is all that more rounds change.
        fine_tune: Function of the smaller model, called after each round to compile
            and train it; what it returns is ignored.
        seed: For "random", at least 0.
        strict: Whether it is an error if layers keep channels for another reason than
            that the model takes or returns them. Else they stay as they are, and
            `channel_groups` names them.
        verbose: Whether to print what was cut, and to show a progress bar of the
            models that are tried for `of`.

    Returns:
        A new model of the same kind with weights of its own, not compiled.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of bounds, a layer that was meant cannot be
            cut, or a share cannot be reached.

    Example:
        >>> layers = keras.layers
        >>> model = keras.Sequential(
        ...     [
        ...         keras.Input((8, 8, 3)),
        ...         layers.Conv2D(32, 3, activation="relu", name="filters"),
        ...         layers.GlobalAveragePooling2D(),
        ...         layers.Dense(10),
        ...     ]
        ... )
        >>> small = shrink(model, keep=0.5)
        16 of 42 channels cut
           filters: 32 -> 16
        parameters 1,226 -> 618, multiply-accumulates 31,424 -> 15,712
        >>> [tuple(weight.shape) for weight in small.weights]
        [(3, 3, 3, 16), (16,), (16, 10), (10,)]

    Reference: Li et al., Pruning Filters for Efficient ConvNets, 2017, arXiv
        1608.08710 ("l1"); Liu et al., Network Slimming, 2017, arXiv 1708.06519
        ("batch_norm"); He et al., 2019, arXiv 1811.00250 ("geometric_median");
        Molchanov et al., Importance Estimation, 2019, arXiv 1906.10771 ("taylor"); Lee
        et al., 2021, arXiv 2010.07611 ("lamp"); Fang et al., Isomorphic Pruning, 2024,
        arXiv 2407.04616. Scores of tied layers are divided by their means and
        averaged. The paper's gates for "taylor" are behind batch normalization, and its
        scores are compared as they are; here gates are in front of the layers that take
        the channels, which is the same where there are but ReLU and sums in between and
        else is nearer to what is taken out, and scores of a group are over their mean.
    """
    _check.instance("shrink", "model", model, keras.Model)
    keep = _check.positive("shrink", "keep", keep, 1.0)
    _check.one_of("shrink", "of", of, _OF)
    if not callable(importance):
        _check.one_of("shrink", "importance", importance, _scores.KINDS)
    _check.one_of("shrink", "scope", scope, _choosing.SCOPES)
    _check.integer("shrink", "round_to", round_to)
    _check.integer("shrink", "rounds", rounds)
    _check.integer("shrink", "seed", seed, 0)
    _check.boolean("shrink", "strict", strict)
    _check.boolean("shrink", "verbose", verbose)
    if fine_tune is not None and not callable(fine_tune):
        expected = "a function of the smaller model"
        _check.fail("shrink", "fine_tune", expected, fine_tune, TypeError)
    if importance == "taylor":
        _check_taylor(model, data, loss, rounds, fine_tune)
    else:
        for name, value in (("data", data), ("loss", loss)):
            if value is not None:
                _check.fail("shrink", name, 'left out unless for "taylor"', value)
    _check_sizes(functional("shrink", model), of)
    options = Options(importance, scope, round_to, where, strict, data, loss, seed)
    small, sizes, reached = model, None, 1.0
    measure = None if of == "channels" else _measures.SHARES[of](model)
    for number in range(1, rounds + 1):
        this, share = Round(small, options, sizes), keep ** (number / rounds)
        sizes = this.sizes
        if measure is None:
            small = this.keeping(share)
        else:
            bar = keras.utils.Progbar(TRIALS, verbose=int(verbose), unit_name="trial")
            small, reached = this.reaching(share, measure, lambda bar=bar: bar.add(1))
        if fine_tune is not None:
            fine_tune(small)
    if verbose:
        print(_said(model, small))
        if measure is not None:
            print(f"{of} {reached:.2f} of the whole model's")
    return small


def _check_sizes(model, of):
    if of in ("macs", "latency") and not _has_sizes(model):
        expected = (
            '"channels" or "parameters" for a model that takes inputs of any size'
        )
        _check.fail("shrink", "of", expected, of)


def _has_sizes(model) -> bool:
    return all(None not in tensor.shape[1:] for tensor in model.inputs)


def _check_taylor(model, data, loss, rounds, fine_tune):
    if data is None:
        expected = "(x, y), arrays or batches of these, for taylor"
        _check.fail("shrink", "data", expected, data)
    if loss is None and not model.compiled:
        expected = "given, or the model compiled with one, for taylor"
        _check.fail("shrink", "loss", expected, loss)
    if loss is None and rounds > 1 and fine_tune is None:
        expected = "given for taylor in several rounds without `fine_tune`, as the "
        expected += "smaller models are not compiled"
        _check.fail("shrink", "loss", expected, loss)
    if loss is not None and not callable(loss):
        expected = "a function of targets and outputs"
        _check.fail("shrink", "loss", expected, loss, TypeError)


def _said(model, small) -> str:
    before, after = (channel_groups(each).groups for each in (model, small))
    left = {path: group.channels for group in after for path in group.layers}
    total = sum(group.channels for group in before)
    lost = sum(group.channels - left[group.layers[0]] for group in before)
    lines = [f"{lost} of {total} channels cut"]
    for group in before:
        names, count = ", ".join(group.layers), left[group.layers[0]]
        if count < group.channels:
            lines.append(f"   {names}: {group.channels} -> {count}")
        elif group.reasons and not {TAKEN, RETURNED} & {*group.reasons}:
            lines.append(f"   {names}: {count} stay ({'; '.join(group.reasons)})")
    costs = [f"parameters {model.count_params():,} -> {small.count_params():,}"]
    if _has_sizes(model):
        before, after = macs(model).total, macs(small).total
        costs.append(f"multiply-accumulates {before:,} -> {after:,}")
    return "\n".join([*lines, ", ".join(costs)])
