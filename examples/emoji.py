"""The 1,906 emoji that ship with the examples: pictures, words and categories."""

import zlib
from pathlib import Path

import numpy as np

PATH = Path(__file__).parent / "data" / "emoji.npz"
LENGTH, VOCABULARY = 48, 4096


def load():
    """Return a dictionary of arrays.

    `images` are uint8 of shape `(1906, 32, 32, 3)`, `texts` strings, `labels` int32, of
    which `categories` are the names.
    """
    with np.load(PATH, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file}
    return {**arrays, "labels": arrays["labels"].astype("int32")}


def ids(texts):
    """Numbers of the runs of three letters in texts, `(texts, 48)`, padded with 0.

    A word and its relatives share most of them, whether they were trained on or not.
    """
    rows = np.zeros((len(texts), LENGTH), "int32")
    for row, text in zip(rows, texts, strict=True):
        words = [f"<{word}>" for word in str(text).split()]
        runs = [word[k : k + 3] for word in words for k in range(len(word) - 2)]
        found = [1 + zlib.crc32(run.encode()) % (VOCABULARY - 1) for run in runs]
        row[: len(found[:LENGTH])] = found[:LENGTH]
    return rows
