"""Draw `docs/gallery.md` and its pictures: what each layer does to a photograph.

    python -m pip install -e ".[docs]" && python docs/make_gallery.py

The text alone needs neither the photographs nor matplotlib.
"""

import pathlib
from typing import NamedTuple

import numpy as np

FOLDER = pathlib.Path(__file__).parent
HEIGHT, WIDTH = 100, 150  # of the photographs, about as many pixels as a cell has
NAMES = ("temple", "flower", "tree")


class Entry(NamedTuple):
    """What is seen of a layer, and how it is made."""

    call: str
    keys: str = ""  # what lies beside the images
    samples: int = 1
    kind: str = "images"
    copies: int = 4
    seed: int = 7

    @property
    def name(self):
        return self.call.partition("(")[0].removeprefix("augment.")


BOXES = "bounding_boxes"
POINTS = "keypoints"
MASKS = "segmentation_masks"
XYXY = 'bounding_box_format="xyxy"'
MIXED = {"samples": 3, "copies": 2}
WAVES = {"kind": "waveforms"}
SOUND = {"kind": "spectrograms"}

GALLERY = {
    "geometry": [
        Entry(f"augment.RandomFlip({XYXY})", f"{BOXES} {POINTS}"),
        Entry(
            f"augment.RandomRot90({XYXY})", f"{BOXES} {POINTS}", kind="squares", seed=3
        ),
        Entry(f"augment.RandomD4({XYXY})", f"{BOXES} {POINTS}", kind="squares", seed=3),
        Entry(f"augment.RandomRotation(0.1, {XYXY})", f"{BOXES} {POINTS}"),
        Entry(f"augment.RandomZoom((-0.4, 0.4), {XYXY})", BOXES),
        Entry(f"augment.RandomTranslation(0.3, 0.3, {XYXY})", BOXES),
        Entry("augment.RandomShear(0.4, 0.4)", MASKS),
        Entry(
            "augment.RandomAffine(\n"
            "    rotation_factor=0.08,\n"
            "    zoom_factor=0.3,\n"
            "    shear_factor=0.2,\n"
            '    fill_mode="constant",\n'
            ")",
            MASKS,
        ),
        Entry("augment.RandomPerspective(scale=0.6)", POINTS),
    ],
    "bending": [
        Entry("augment.RandomElasticTransform(1.0, scale=1.0)", MASKS),
        Entry("augment.GridDistortion(distort_limit=0.6)", POINTS),
        Entry("augment.ThinPlateSpline((0.3, 0.5))", MASKS),
    ],
    "crops and sizes": [
        Entry(f"augment.RandomCrop(60, 80, {XYXY})", BOXES),
        Entry(f"augment.RandomResizedCrop(80, 80, {XYXY})", BOXES),
        Entry("augment.CenterCrop(70, 70)"),
        Entry(f"augment.BoxSafeCrop(80, 80, {XYXY})", BOXES),
        Entry(f"augment.RandomZoomOut({XYXY})", BOXES),
        Entry(f"augment.LetterBox(120, 120, {XYXY})", BOXES),
        Entry("augment.Resizing(80, 80)"),
    ],
    "colour": [
        Entry("augment.RandomBrightness(0.5)"),
        Entry("augment.RandomContrast(0.8)"),
        Entry("augment.RandomSaturation((0.0, 1.0))"),
        Entry("augment.RandomHue(0.5)"),
        Entry(
            "augment.RandomColorJitter(\n"
            "    brightness_factor=0.3,\n"
            "    contrast_factor=0.5,\n"
            "    saturation_factor=(0.2, 0.8),\n"
            "    hue_factor=0.2,\n"
            ")"
        ),
        Entry("augment.RandomColorDegeneration((0.2, 1.0))"),
        Entry("augment.RandomGrayscale(0.5)", seed=5),
        Entry("augment.RandomInvert(0.5)"),
        Entry("augment.RandomPlanckian()"),
        Entry("augment.Sepia()"),
        Entry("augment.ChannelShuffle()"),
        Entry("augment.ChannelDropout((1, 2))"),
    ],
    "tones": [
        Entry("augment.RandomGamma(0.8)"),
        Entry("augment.ToneCurve(0.4)"),
        Entry("augment.RandomPosterization((1, 4))"),
        Entry("augment.Solarization(threshold_factor=(0.2, 0.8))"),
        Entry("augment.AutoContrast(rate=0.5)", kind="pale"),
        Entry("augment.Equalization(rate=0.5)", kind="pale"),
        Entry("augment.CLAHE(clip_limit=(1.0, 8.0))"),
    ],
    "neighbourhoods": [
        Entry("augment.RandomSharpness((0.0, 1.0))"),
        Entry("augment.RandomGaussianBlur(kernel_size=9, sigma=(0.5, 3.0))"),
        Entry("augment.MotionBlur(15)"),
        Entry("augment.MedianBlur(5, rate=0.5)"),
        Entry("augment.JPEGCompression((2, 20))"),
        Entry("augment.Downscale((0.2, 0.5))"),
    ],
    "noise": [
        Entry("augment.GaussianNoise((0.05, 0.2))"),
        Entry("augment.ShotNoise()"),
        Entry("augment.SaltAndPepper((0.02, 0.2))"),
    ],
    "hiding": [
        Entry("augment.RandomErasing()"),
        Entry("augment.GridMask()"),
        Entry("augment.CoarseDropout()"),
    ],
    "values": [
        Entry("augment.Rescaling(1 / 127.5, offset=-1)"),
        Entry(
            "augment.Normalization(mean=[148, 156, 160], variance=[5900, 5200, 7400])"
        ),
    ],
    "mixing": [
        Entry("augment.MixUp(1.0, classes=3)", "labels", seed=275, **MIXED),
        Entry(
            f"augment.CutMix(classes=3, {XYXY})", f"labels {BOXES}", seed=1999, **MIXED
        ),
        Entry(
            f"augment.Mosaic(classes=3, {XYXY})", f"labels {BOXES}", seed=15, **MIXED
        ),
        Entry(f"augment.CopyPaste(1.0, {XYXY})", f"{BOXES} {MASKS}", seed=5, **MIXED),
    ],
    "combinations": [
        Entry(
            "augment.Pipeline(\n"
            "    [\n"
            "        augment.RandomResizedCrop(80, 120),\n"
            '        augment.RandomFlip("horizontal"),\n'
            "        augment.RandomRotation(0.05),\n"
            "        augment.RandomColorJitter(hue_factor=0.1),\n"
            "    ],\n"
            f"    {XYXY},\n"
            ")",
            f"{BOXES} {MASKS}",
            samples=2,
        ),
        Entry(
            "augment.RandomApply(\n"
            "    [augment.RandomGrayscale(1.0), augment.RandomRotation(0.1)],\n"
            "    rate=0.5,\n"
            ")"
        ),
        Entry(
            "augment.RandomChoice(\n"
            "    [\n"
            "        augment.RandomGaussianBlur(kernel_size=9, sigma=3.0),\n"
            "        augment.RandomInvert(1.0),\n"
            "        augment.RandomRotation(0.1),\n"
            "        augment.RandomPosterization(2),\n"
            "    ]\n"
            ")"
        ),
        Entry(
            "augment.SomeOf(\n"
            "    [\n"
            "        augment.RandomGrayscale(1.0),\n"
            "        augment.RandomRotation(0.1),\n"
            "        augment.GridMask(),\n"
            "    ],\n"
            "    (1, 2),\n"
            ")"
        ),
        Entry(
            "augment.RandomOrder("
            "[augment.RandomRotation(0.1), augment.RandomInvert(1.0)])"
        ),
    ],
    "policies": [
        Entry("augment.RandAugment()"),
        Entry("augment.TrivialAugmentWide()"),
        Entry("augment.AutoAugment()"),
        Entry("augment.AugMix(factor=0.8)"),
    ],
    "audio": [
        Entry('augment.TimeShift(0.4, "constant")', **WAVES),
        Entry("augment.RandomGain((-18.0, 0.0))", **WAVES),
        Entry("augment.AudioNoise((0.0, 20.0))", **WAVES),
        Entry("augment.AudioMix((0.0, 10.0))", samples=2, copies=3, **WAVES),
        Entry(
            "augment.AudioMixUp(1.0, classes=2)",
            "labels",
            samples=2,
            copies=3,
            seed=50,
            **WAVES,
        ),
        Entry("augment.TimeMasking(20)", **SOUND),
        Entry("augment.FrequencyMasking(12)", **SOUND),
        Entry("augment.TimeStretch((0.6, 1.6))", **SOUND),
    ],
}

HEAD = """\
# What the layers do

Each picture was drawn by `augment.show`: the original first, then augmented copies, and
below what was drawn for them, by the names that the layers give it. Boxes, masks and
keypoints are moved along; labels of what is mixed are shares. Many arguments are
stronger than one would train with, so that there is something to see.
`docs/make_gallery.py` writes this page.

```python
from perfkit import augment
```
"""
TAIL = """
## The photographs

Both come with scikit-learn (`sklearn.datasets.load_sample_images`), are licensed under
[CC BY 2.0](https://creativecommons.org/licenses/by/2.0/), and were made smaller and
changed as the pictures say. The temple and the tree are on
[a photograph by danielbuechele](https://www.flickr.com/photos/danielbuechele/6061409035/),
the flower on
[a photograph by vultilion](https://www.flickr.com/photos/vultilion/6056698931/).
"""


def markdown():
    """The text of the page."""
    parts = [HEAD]
    for group, entries in GALLERY.items():
        parts.append(f"\n## {group[0].upper()}{group[1:]}\n")
        for entry in entries:
            parts.append(
                f"\n**{entry.name}**\n\n```python\n{entry.call}\n```\n\n"
                f"![{entry.name}](gallery/{entry.name}.jpg)\n"
            )
    return "".join([*parts, TAIL])


def photographs():
    """A temple, a flower and a tree at a lake, with what lies beside them."""
    import cv2
    from sklearn.datasets import load_sample_image

    china, flower = [load_sample_image(f"{name}.jpg") for name in ("china", "flower")]
    scale = WIDTH / 640
    whole = china, flower, china[107:400, 200:]
    size = {"interpolation": cv2.INTER_AREA}
    images = [cv2.resize(image, (WIDTH, HEIGHT), **size) for image in whole]
    temple = "205,30 320,122 295,140 328,178 318,190 350,258 342,305 350,325 300,350"
    temple += " 200,360 75,330 65,268 100,245 85,178 118,160 97,120 190,60"
    corners = [tuple(map(int, corner.split(","))) for corner in temple.split()]
    masks = np.zeros((3, HEIGHT, WIDTH), "int32")
    outline = np.round(np.array(corners) * scale).astype("int32")
    cv2.fillPoly(masks[0], [outline], 1)
    cv2.circle(
        masks[1], (round(308 * scale), round(222 * scale)), round(137 * scale), 1, -1
    )
    tree = np.array([(600, 137), (640, 150), (640, 400), (560, 400), (550, 220)])
    tree = (tree - (200, 107)) * (WIDTH / 440, HEIGHT / 293)
    cv2.fillPoly(masks[2], [np.round(tree).astype("int32")], 1)
    boxes = [[64, 30, 352, 360], [170, 85, 446, 358], [510, 40, 640, 427]]
    points = [[205, 34], [97, 121], [320, 123], [80, 330], [345, 322]]
    return {
        "images": np.stack(images),
        "segmentation_masks": masks,
        "bounding_boxes": {
            "boxes": np.array(boxes)[:, None] * scale,
            "labels": np.arange(3)[:, None],
        },
        "keypoints": np.array([points] * 3) * scale,
        "labels": np.arange(3),
    }


def sounds(samples, cycles):
    """A rising tone and a plucked string."""
    time = np.arange(samples) / samples
    rising = np.sin(2 * np.pi * cycles * (time + 2 * time**2) / 3) * np.sin(
        np.pi * time
    )
    plucked = sum(np.sin(2 * np.pi * cycles * k * time) / k for k in (1, 2, 3))
    return np.stack([rising, plucked * np.exp(-4 * time) / 2]).astype("float32")


def spectrogram(wave):
    """Logarithms of magnitudes, frames first."""
    frames = np.lib.stride_tricks.sliding_window_view(wave, 256)[::64]
    magnitudes = np.abs(np.fft.rfft(frames * np.hanning(256)))[:, :80]
    return np.log1p(10 * magnitudes).astype("float32")


def inputs_of(entry, photos):
    """What a layer is shown at work on."""
    if entry.kind == "waveforms":
        batch = {"waveforms": sounds(600, 15), "labels": np.arange(2)}
    elif entry.kind == "spectrograms":
        waves = sounds(8000, 600)[::-1]  # cycles
        batch = {"spectrograms": np.stack([spectrogram(wave) for wave in waves])}
    else:
        batch = dict(photos)
        if entry.kind == "squares":
            batch["images"] = photos["images"][:, :, :HEIGHT]
            batch["segmentation_masks"] = photos["segmentation_masks"][:, :, :HEIGHT]
        if entry.kind == "pale":
            batch["images"] = photos["images"] // 3 + 100
    keys = ("images", "waveforms", "spectrograms", *entry.keys.split())
    return {
        key: {name: part[: entry.samples] for name, part in value.items()}
        if isinstance(value, dict)
        else value[: entry.samples]
        for key, value in batch.items()
        if key in keys
    }


def main():
    """Write the page and its pictures."""
    from tqdm import tqdm

    from perfkit import augment

    photos = photographs()
    pictures = FOLDER / "gallery"
    pictures.mkdir(exist_ok=True)
    entries = [entry for group in GALLERY.values() for entry in group]
    for entry in tqdm(entries, unit="picture"):
        layer = eval(entry.call, {"augment": augment})
        names = ("rising", "plucked") if entry.kind == "waveforms" else NAMES
        figure = augment.show(
            layer,
            inputs_of(entry, photos),
            copies=entry.copies,
            seed=entry.seed,
            names=names,
            size=1.6,
        )
        figure.savefig(
            pictures / f"{entry.name}.jpg", dpi=100, pil_kwargs={"quality": 60}
        )
    (FOLDER / "gallery.md").write_text(markdown())


if __name__ == "__main__":
    main()
