"""Reports on TFLite files: what is written in them, and which layer an operator is."""

import gzip
import sys
from collections import Counter

import flatbuffers
import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from perfkit import compress
from perfkit.compress.reporting import _lite_file, _timing
from perfkit.compress.reporting._scopes import layers_of
from perfkit.graph import latency
from perfkit.graph.macs import macs

layers = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 12, 12, 3)).astype("float32")
Y = RNG.integers(0, 5, 24)
QUIET = {"runs": 0, "lite": False, "verbose": False}
on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="converts by TensorFlow"
)


def with_default_names():
    """A CNN whose layers have the names of Keras, such as conv2d and conv2d_1."""
    keras.backend.clear_session()
    inputs = keras.Input((12, 12, 3))
    x = layers.Conv2D(4, 3, use_bias=False)(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(4, 1)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    y = layers.DepthwiseConv2D(3, padding="same", activation="silu")(x)
    x = layers.Add()([x, y])
    x = layers.BatchNormalization()(x)
    body = [layers.Conv2D(4, 3, activation="sigmoid"), layers.ReLU()]
    x = keras.Sequential([keras.Input((10, 10, 4)), *body], name="body")(x)
    x = keras.ops.sqrt(x) * 2.0  # which no layer makes
    x = layers.Dropout(0.5)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(6)(x)
    x = layers.BatchNormalization()(x)
    model = keras.Model(inputs, layers.Dense(5, activation="softmax")(x))
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            shapes = [weight.shape for weight in layer.get_weights()]
            layer.set_weights([RNG.uniform(0.5, 1.5, shape) for shape in shapes])
    return model


@pytest.fixture(scope="module")
def model():
    return with_default_names()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="module")
def float_path(model, folder):
    return compress.export_tflite(model, folder / "float.tflite").path


@pytest.fixture(scope="module")
def int8_path(folder):
    model, path = plain(), folder / "int8.tflite"
    model.save(folder / "plain.keras")
    compress.export_tflite(model, path, quantization="int8", data=X)
    return path


def plain():
    rng = np.random.default_rng(3)
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.DepthwiseConv2D(3, name="depthwise"),
            layers.Flatten(name="flat"),
            layers.Dense(5, name="head"),
        ],
        name="plain",
    )
    model.set_weights([0.3 * rng.normal(size=w.shape) for w in model.weights])
    return model


def interpreter(path):
    found = Interpreter(
        model_content=path.read_bytes(),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    found.allocate_tensors()
    return found


def rows(report):
    return {row.path: row for row in report.layers}


# What is written in a file


def test_an_int8_file_is_told_as_its_interpreter_tells_it(int8_path):
    found = compress.report(int8_path, **QUIET)["int8.tflite"]
    runner = interpreter(int8_path)
    operators = runner._get_ops_details()
    assert found.operators == dict(Counter(each["op_name"] for each in operators))
    made = {int(i) for each in operators for i in each["outputs"]}
    taken = {int(i) for each in operators for i in each["inputs"] if i >= 0}
    (start,) = (int(each["index"]) for each in runner.get_input_details())
    details = {d["index"]: d for d in runner.get_tensor_details() if d["name"]}
    constants = [runner.get_tensor(i) for i in sorted(taken - made - {start})]
    weights = [each for each in constants if each.ndim > 1 or each.size > 2]
    assert found.parameters == sum(each.size for each in weights)
    assert found.weight_bytes == sum(each.nbytes for each in weights)
    kernels = [each for each in constants if each.dtype == np.int8]
    zeros = sum((each == 0).sum() for each in kernels)
    assert found.sparsity == pytest.approx(zeros / sum(each.size for each in kernels))
    assert found.distinct == max(len(np.unique(each)) for each in kernels)
    dtypes = Counter(np.dtype(d["dtype"]).name for d in details.values())
    assert found.dtypes == dict(dtypes)
    assert found.integer
    content = int8_path.read_bytes()
    assert found.lite_bytes == len(content)
    assert found.lite_gzip_bytes == len(gzip.compress(content))
    assert [row.dtype for row in found.layers if row.sparsity is not None] == [
        "int8"
    ] * 3


def test_multiplications_of_a_file_are_those_of_the_model(model, float_path, int8_path):
    found = compress.report({"f": float_path, "i": int8_path}, **QUIET)
    assert found["f"].macs == macs(model).total
    assert found["i"].macs == macs(plain()).total
    assert not found["f"].integer


def packed(tensors, operators, inputs, outputs):
    """A file of these: tensors are (dtype, shape, bytes, scale)."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.buffers = 3, [graph], [schema.BufferT()]
    model.operatorCodes, graph.tensors, graph.operators = [], [], []
    for number, (dtype, shape, content, scale) in enumerate(tensors):
        tensor, buffer = schema.TensorT(), schema.BufferT()
        tensor.type = getattr(schema.TensorType, dtype.upper())
        tensor.shape, tensor.name = shape, f"tensor_{number}"
        if content:
            buffer.data, tensor.buffer = list(content), len(model.buffers)
            model.buffers.append(buffer)
        if scale:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = [scale]
            tensor.quantization.zeroPoint = [1]
        graph.tensors.append(tensor)
    for kind, taken, made in operators:
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = getattr(schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        operator.opcodeIndex = len(model.operatorCodes)
        operator.inputs, operator.outputs = taken, made
        model.operatorCodes.append(code)
        graph.operators.append(operator)
    graph.inputs, graph.outputs = inputs, outputs
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_int4_is_two_values_to_a_byte_and_half_precision_is_the_kernel():
    # -8 7 0 1 -1 3, the lower half first.
    nibbles = bytes([0x78, 0x10, 0x3F])
    half = np.array([[0.5, 0.0, -2.0]] * 4, "float16").tobytes()
    content = packed(
        [
            ("float32", [1, 3], b"", 0),
            ("int4", [2, 3], nibbles, 0.5),
            ("float32", [1, 2], b"", 0),
            ("float16", [4, 3], half, 0),
            ("float32", [4, 3], b"", 0),
            ("float32", [1, 4], b"", 0),
        ],
        [
            ("FULLY_CONNECTED", [0, 1, -1], [2]),
            ("DEQUANTIZE", [3], [4]),
            ("FULLY_CONNECTED", [0, 4, -1], [5]),
        ],
        [0],
        [2, 5],
    )
    file = _lite_file.read(content)
    four, sixteen = file.operators
    (kernel,) = four.kernels
    assert kernel.values.tolist() == [-9, 6, -1, 0, -2, 2]  # 1 means 0.0
    assert (kernel.size, len(kernel.content), kernel.weighs) == (6, 3, True)
    (kernel,) = sixteen.kernels
    assert kernel.values.reshape(4, 3)[0].tolist() == [0.5, 0.0, -2.0]
    assert (kernel.dtype, four.macs, sixteen.macs) == ("float16", 6, 12)
    assert file.ends == (1, 2)


def test_a_file_with_two_outputs_has_sizes_and_is_not_run(tmp_path):
    kernel = np.eye(3, dtype="float32").tobytes()
    content = packed(
        [
            ("float32", [1, 3], b"", 0),
            ("float32", [3, 3], kernel, 0),
            ("float32", [1, 3], b"", 0),
            ("float32", [1, 3], b"", 0),
        ],
        [("FULLY_CONNECTED", [0, 1, -1], [2]), ("FULLY_CONNECTED", [2, 1, -1], [3])],
        [0],
        [2, 3],
    )
    path = tmp_path / "two.tflite"
    path.write_bytes(content)
    found = compress.report(path, data=X, runs=2, verbose=False)["two.tflite"]
    assert (found.parameters, found.macs, found.distinct) == (9, 18, 2)  # one kernel
    assert found.sparsity == pytest.approx(6 / 9)
    assert (found.lite_latency, found.quality, found.sqnr) == (None, None, None)
    assert "only files with one input and one output are run" in found.notes


@on_tensorflow
def test_zeros_that_are_left_out_of_a_file_are_counted(tmp_path):
    import tensorflow as tf

    model = plain()
    kernel = model.get_layer("head").get_weights()[0]
    kernel[np.abs(kernel) < np.quantile(np.abs(kernel), 0.9)] = 0
    model.get_layer("head").kernel.assign(kernel)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY]
    path = tmp_path / "sparse.tflite"
    path.write_bytes(converter.convert())
    found = compress.report(path, **QUIET)["sparse.tflite"]
    head = next(row for row in found.layers if row.kind == "FULLY_CONNECTED")
    assert head.sparsity == pytest.approx((kernel == 0).mean())
    assert head.distinct == len(np.unique(kernel))
    assert head.parameters == kernel.size + 5
    assert head.bytes < 0.5 * kernel.nbytes


def test_tensorflow_reads_a_file_where_litert_is_missing(int8_path, monkeypatch):
    expected = _lite_file.read(int8_path.read_bytes())
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    found = _lite_file.read(int8_path.read_bytes())
    kinds = [each.kind for each in found.operators]
    assert kinds == [each.kind for each in expected.operators]
    assert _lite_file._schema().__name__.startswith("tensorflow.")


# Which layer an operator is


def test_each_operator_of_a_float_file_is_as_good_as_the_layer_it_is_taken_for(
    model, float_path
):
    data = {"data": X, "reference": model}
    found = compress.report(float_path, **data, **QUIET)["float.tflite"]
    compared = [row for row in found.layers if row.sqnr is not None]
    assert [(row.path, row.against) for row in compared] == [
        ("conv2d", "batch_normalization"),
        ("conv2d_1", "re_lu"),
        ("depthwise_conv2d", "depthwise_conv2d"),
        ("add", "add"),
        ("batch_normalization_2", "batch_normalization_2"),
        ("body/conv2d_2", "body/conv2d_2"),
        ("body/re_lu_1", "body/re_lu_1"),
        ("flatten", "flatten"),
        ("dense", "batch_normalization_3"),
        ("dense_1", "dense_1"),
    ]
    (line,) = [x for x in str(found).splitlines() if x.startswith("conv2d ")]
    assert line.split()[-1] == "batch_normalization"
    assert min(row.sqnr for row in compared) > 80.0  # of another layer it is below 20


def test_a_number_is_told_from_that_of_another_layer_by_elimination():
    names = ["m/conv_1/Conv", "m/conv_1_2/Conv", "m/other_1/Relu;m/conv_2_1/Conv"]
    paths = ["conv", "conv_1", "conv_2", "other"]
    assert layers_of(names, paths) == [["conv"], ["conv_1"], ["conv_2", "other"]]
    assert layers_of(names[:1], paths) == [[]]  # conv or conv_1


def test_inner_parts_wrappers_and_operations_beside_layers():
    paths = ["head/query", "head", "body/conv", "body"]
    names = {
        "m/head_1/query_1/MatMul": ["head/query"],
        "m/head_1/einsum/Einsum": ["head"],
        "m/body_1/conv_1/Relu;m/body_1/Mul": ["body/conv", "body"],
        "m/body_1/q_conv_1/conv_1/Conv": ["body/conv"],
        "m/Mul": [],
        "Identity": [],
        "m/dropout_1/x": [],
    }
    assert layers_of(list(names), paths) == list(names.values())


def test_noise_of_an_int8_file_is_that_of_its_tensors(int8_path):
    model = plain()
    data = {"data": X, "samples": 7}
    models = {"float": model, "int8": int8_path}
    found = compress.report(models, **data, **QUIET)["int8"]
    runner = interpreter(int8_path)
    (start,), (end,) = runner.get_input_details(), runner.get_output_details()
    (place,) = runner._get_ops_details()[0]["outputs"]
    conv = next(d for d in runner.get_tensor_details() if d["index"] == place)
    scale, zero = start["quantization"]
    made = []
    for sample in X[:7]:
        q = np.clip(np.round(sample[None] / scale) + zero, -128, 127)
        runner.set_tensor(start["index"], q.astype("int8"))
        runner.invoke()
        scale_out, zero_out = conv["quantization"]
        made.append((runner.get_tensor(conv["index"]) - float(zero_out)) * scale_out)
    inner = keras.Model(model.inputs, model.get_layer("conv").output)
    right = inner.predict(X[:7], verbose=0)
    error = right - np.concatenate(made)
    expected = 10 * np.log10((right**2).sum() / (error**2).sum())
    assert rows(found)["conv"].sqnr == pytest.approx(expected, abs=0.01)
    assert set(rows(found)) == {"conv", "depthwise", "flat", "head"}
    right = model.predict(X, verbose=0)
    error = right - compress.LiteModel(int8_path).predict(X)
    expected = 10 * np.log10((right**2).sum() / (error**2).sum())
    assert found.sqnr == pytest.approx(expected, abs=0.01)
    assert 20 < found.sqnr < 60
    assert end["dtype"] is np.int8


# Models and files together


def test_all_kinds_are_compared_on_the_same_runtime(int8_path, folder, monkeypatch):
    together = []

    def counted(calls, runs, **options):
        together.append(len(calls))
        return latency.alternately(calls, runs, **options)

    monkeypatch.setattr(_timing, "alternately", counted)
    models = {
        "float": folder / "plain.keras",
        "int8": str(int8_path),
        "two threads": compress.LiteModel(int8_path, threads=2),
    }
    report = compress.report(
        models, data=(X, Y), runs=3, lite=True, reference=plain(), verbose=False
    )
    first, int8, threads = report.models
    assert report.reference == "plain"
    assert first.lite_bytes > int8.lite_bytes == threads.lite_bytes
    assert first.latency.runtime != first.lite_latency.runtime
    assert int8.lite_latency.than == "float"
    assert int8.lite_latency.runtime == first.lite_latency.runtime
    assert int8.latency is None  # nothing of Keras's, and no ratio to it
    assert threads.lite_latency.than is None  # of two threads there is no other
    assert all(m.lite_latency.median_ms > 0 for m in report.models)
    right = compress.LiteModel(int8_path).predict(X).argmax(1) == Y
    assert int8.quality == threads.quality == pytest.approx(right.mean())
    assert sorted(together) == [1, 1, 2]  # another runtime in between would slow them
    assert "LiteRT, 1 thread; LiteRT, 2 threads" in str(report)
    assert ".tflite, bytes" in report.show().get_axes()[1].get_title()


def test_a_model_that_cannot_be_exported_says_why():
    model = keras.Sequential([keras.Input((None, 4)), layers.Dense(2)], name="any")
    found = compress.report(model, data=np.ones((2, 3, 4)), lite=True, verbose=False)
    assert found["any"].lite_bytes is None
    assert found["any"].latency.median_ms > 0
    assert found["any"].notes[0].startswith("no .tflite: `export_tflite(model=...)`")
    assert "Received" not in found["any"].notes[0]


@pytest.mark.parametrize("content", [b"", b"1234TFL3", b"1234TFL3" + bytes(90)])
def test_a_broken_file_is_refused(content, tmp_path):
    path = tmp_path / "broken.tflite"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"report\(models=.*a whole .tflite file"):
        compress.report(path, **QUIET)


def test_data_that_a_file_does_not_take_is_refused(int8_path):
    with pytest.raises(ValueError, match=r"\(batch, 12, 12, 3\), as 'int8.tflite'"):
        compress.report(int8_path, data=X[:, :3], **QUIET)


def test_a_runner_whose_file_is_gone_is_refused(int8_path, tmp_path):
    path = tmp_path / "gone.tflite"
    path.write_bytes(int8_path.read_bytes())
    lite = compress.LiteModel(path)
    path.unlink()
    with pytest.raises(ValueError, match="a LiteModel whose file is there"):
        compress.report(lite, **QUIET)


def test_without_a_runtime_the_error_names_the_extra(int8_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ImportError, match=r"pip install perfkit\[compress\]"):
        compress.report(int8_path, **QUIET)
