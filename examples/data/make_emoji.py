"""Make emoji.npz from the npm package emoji-datasource-twitter.

    npm pack emoji-datasource-twitter@16.0.0
    tar xzf emoji-datasource-twitter-16.0.0.tgz
    python make_emoji.py package [OUTPUT]

Taken are all emoji with a picture but parts of other ones, in the order of the package,
without variants of skin tone. Pictures of 64x64 are laid on white and halved by means
of 2x2. The text is made of name and short names, and tells no category: see `words`.
"""

import argparse
import collections
import hashlib
import json
import re
import unicodedata
from pathlib import Path

import cv2
import numpy as np
from make_fashion_mnist import write_npz

OUTPUT = Path(__file__).with_name("emoji.npz")
# What no word of the text may hold: the words of the categories, without endings.
STEMS = (
    "activit",
    "animal",
    "body",
    "drink",
    "emotion",
    "flag",
    "food",
    "natur",
    "object",
    "people",
    "place",
    "smiley",
    "symbol",
    "travel",
)


def split(text):
    """Words of lower-case letters, without accents."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.findall("[a-z]+", plain.lower().replace("'", ""))


def telling(entries):
    """Words of categories and subcategories, each in singular and plural."""
    fields = [entry[key] for entry in entries for key in ("category", "subcategory")]
    found = {word for field in set(fields) for word in split(field)}
    return found | {f"{word}s" for word in found} | {w.removesuffix("s") for w in found}


def words(entry, forbidden):
    """Words of an emoji, each once, but for those that name a category.

    Left out are words of categories and subcategories, words that hold one of `STEMS`,
    short names of flags, which begin by saying so, and words of one or two letters,
    most of which are codes of countries.
    """
    names = [n for n in entry["short_names"] if not n.startswith("flag-")]
    found = dict.fromkeys(split(" ".join([entry["name"], *names])))
    return [
        word
        for word in found
        if len(word) > 2
        and word not in forbidden
        and not any(stem in word for stem in STEMS)
    ]


def picture(path):
    """The picture on white, 32x32x3 bytes."""
    encoded = np.frombuffer(path.read_bytes(), "uint8")
    read = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if read is None or read.shape != (64, 64, 4):
        raise ValueError(f"{path} is no picture of 64x64 with transparency")
    color, cover = read[..., 2::-1].astype("float64"), read[..., 3:] / 255.0
    on_white = color * cover + 255.0 * (1.0 - cover)
    return np.rint(on_white.reshape(32, 2, 32, 2, 3).mean((1, 3))).astype("uint8")


def arrays_of(folder):
    """Return the arrays of the file, by name."""
    entries = json.loads((folder / "emoji.json").read_text(encoding="utf-8"))
    forbidden = telling(entries)
    taken = [
        entry
        for entry in entries
        if entry["category"] != "Component" and entry["has_img_twitter"]
    ]
    pictures = folder / "img" / "twitter" / "64"
    categories = sorted({entry["category"] for entry in taken})
    return {
        "images": np.stack([picture(pictures / entry["image"]) for entry in taken]),
        "texts": np.array([" ".join(words(entry, forbidden)) for entry in taken]),
        "labels": np.array(
            [categories.index(entry["category"]) for entry in taken], "uint8"
        ),
        "categories": np.array(categories),
        "subcategories": np.array(sorted({entry["subcategory"] for entry in taken})),
    }


def most_telling(arrays, count=20):
    """Rows `(word, emoji, share, category)` of words that tell most emoji apart."""
    tallies = collections.defaultdict(collections.Counter)
    for text, label in zip(arrays["texts"], arrays["labels"], strict=True):
        for word in str(text).split():
            tallies[word][str(arrays["categories"][label])] += 1
    rows = []
    for word, tally in tallies.items():
        ((category, most),) = tally.most_common(1)
        rows.append((word, tally.total(), most / tally.total(), category))
    return sorted(rows, key=lambda row: -row[1] * row[2])[:count]


def main():
    """Write the file and print what emoji.md states about it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the unpacked package")
    parser.add_argument("output", type=Path, nargs="?", default=OUTPUT)
    arguments = parser.parse_args()
    arrays = arrays_of(arguments.folder)
    write_npz(arguments.output, arrays)
    content = arguments.output.read_bytes()
    print(f"{hashlib.sha256(content).hexdigest()}  {arguments.output.name}")
    print(f"{len(content):,} bytes, {sum(arrays['texts'] == '')} without text")
    for name, array in arrays.items():
        print(f"{hashlib.sha256(array.tobytes()).hexdigest()}  {name} {array.shape}")
    for word, emoji, share, category in most_telling(arrays):
        print(f"{word:12s} in {emoji:3d}, of which {share:4.0%} {category}")


if __name__ == "__main__":
    main()
