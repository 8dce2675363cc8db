"""TFLite files: bytes, and times that are taken in turn."""

import gzip

import numpy as np

from perfkit import compress
from perfkit.graph.latency import alternately

ROUNDS = 60


def written(models, folder, **options):
    """Write models as files; return what runs each, and its bytes, by name."""
    found = {}
    for name, model in models.items():
        path = folder / f"{name}.tflite"
        chosen = options.get(name, {})
        compress.export_tflite(model, path, verbose=False, **chosen)
        content = path.read_bytes()
        sizes = {"bytes": len(content), "gzip": len(gzip.compress(content))}
        found[name] = (compress.LiteModel(path), sizes)
    return found


def ratios(files, first):
    """Median milliseconds of each file, and how many times as fast as the first."""
    names = [first, *(name for name in files if name != first)]
    calls = [files[name][0].on_zeros() for name in names]
    took = alternately(calls, ROUNDS, settling=2)
    fast = np.median(took[:, :1] / took, axis=0)
    rows = zip(names, np.median(took, axis=0), fast, strict=True)
    return {name: {"ms": float(ms), "times_as_fast": float(x)} for name, ms, x in rows}
