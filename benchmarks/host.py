"""The host engine against Albumentations, one thread, operation by operation.

`pip install albumentations==2.0.8 opencv-python` first; it is the last free version.
Both get the same photograph-like bytes, and arguments that make them do the same work.
perfkit takes them in one batch, as input workers do, and Albumentations one by one, as
it must.
"""

import statistics
import time

import numpy as np

from perfkit import augment

MEAN, DEVIATION = [123.7, 116.3, 103.5], [58.4, 57.1, 57.4]
CHAIN = "flip + affine + colour jitter + normalize"


def photographs(batch, size):
    """Smooth pictures with some grain, the same at every run."""
    import cv2

    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (batch, size // 16, size // 16, 3)).astype("uint8")
    smooth = [
        cv2.resize(x, (size, size), interpolation=cv2.INTER_CUBIC) for x in coarse
    ]
    grain = rng.normal(0.0, 6.0, (batch, size, size, 3))
    return np.clip(np.stack(smooth) + grain, 0, 255).astype("uint8")


def ours():
    """perfkit's side: layers by the name of what they do, most from bytes to bytes."""
    from perfkit.augment import (
        CLAHE,
        AutoContrast,
        CenterCrop,
        ChannelDropout,
        ChannelShuffle,
        CoarseDropout,
        Downscale,
        Equalization,
        GaussianNoise,
        GridDistortion,
        JPEGCompression,
        LetterBox,
        MedianBlur,
        MotionBlur,
        Normalization,
        RandomAffine,
        RandomBrightness,
        RandomColorJitter,
        RandomContrast,
        RandomCrop,
        RandomD4,
        RandomElasticTransform,
        RandomErasing,
        RandomFlip,
        RandomGamma,
        RandomGaussianBlur,
        RandomGrayscale,
        RandomInvert,
        RandomPerspective,
        RandomPlanckian,
        RandomPosterization,
        RandomResizedCrop,
        RandomRot90,
        RandomRotation,
        RandomSharpness,
        Resizing,
        SaltAndPepper,
        Sepia,
        ShotNoise,
        Solarization,
        ThinPlateSpline,
        ToneCurve,
    )

    plain = {"dtype": "uint8"}
    variance = [s * s for s in DEVIATION]
    return {
        "horizontal flip": RandomFlip("horizontal", rate=0.5, **plain),
        "vertical flip": RandomFlip("vertical", **plain),
        "rot90": RandomRot90(**plain),
        "d4": RandomD4(**plain),
        "rotation": RandomRotation(0.1, **plain),
        "affine": RandomAffine(0.05, 0.1, 0.1, 0.1, 0.1, **plain),
        "perspective": RandomPerspective(1.0, 0.2, **plain),
        "elastic": RandomElasticTransform(1.0, **plain),
        "grid distortion": GridDistortion(5, 0.3, **plain),
        "thin plate spline": ThinPlateSpline(**plain),
        "crop": RandomCrop(192, 192, **plain),
        "center crop": CenterCrop(192, 192, **plain),
        "resized crop": RandomResizedCrop(160, 160, **plain),
        "resize": Resizing(160, 160, **plain),
        "letter box": LetterBox(256, 256, **plain),
        "brightness": RandomBrightness(0.2, **plain),
        "contrast": RandomContrast(0.2, **plain),
        "colour jitter": RandomColorJitter(
            (0, 255), 0.2, 0.2, (0.4, 0.6), 0.05, **plain
        ),
        "grayscale": RandomGrayscale(1.0, **plain),
        "invert": RandomInvert(1.0, **plain),
        "sepia": Sepia(**plain),
        "planckian": RandomPlanckian(**plain),
        "channel shuffle": ChannelShuffle(**plain),
        "channel dropout": ChannelDropout(**plain),
        "gamma": RandomGamma((0.8, 1.2), **plain),
        "tone curve": ToneCurve(0.1, **plain),
        "posterize": RandomPosterization((4, 4), **plain),
        "solarize": Solarization(0.0, (0.5, 0.5), **plain),
        "auto contrast": AutoContrast(**plain),
        "equalize": Equalization(**plain),
        "clahe": CLAHE(**plain),
        "sharpen": RandomSharpness((0.6, 0.9), **plain),
        "gaussian blur": RandomGaussianBlur(1.0, 7, (0.5, 3.0), **plain),
        "motion blur": MotionBlur(7, **plain),
        "median blur": MedianBlur(5, **plain),
        "jpeg": JPEGCompression((60, 90), **plain),
        "downscale": Downscale((0.25, 0.5), **plain),
        "gaussian noise": GaussianNoise((0.1, 0.1), **plain),
        "shot noise": ShotNoise((0.1, 0.2), **plain),
        "salt and pepper": SaltAndPepper((0.01, 0.06), **plain),
        "coarse dropout": CoarseDropout(**plain),
        "erasing": RandomErasing(1.0, **plain),
        "normalize": Normalization(mean=MEAN, variance=variance),
        CHAIN: augment.Pipeline(
            [
                RandomFlip("horizontal"),
                RandomAffine(0.05, 0.1, 0.0, 0.1, 0.1),
                RandomColorJitter((0, 255), 0.2, 0.2, (0.4, 0.6), 0.05),
                Normalization(mean=MEAN, variance=variance),
            ]
        ),
    }


def theirs():
    """Albumentations' side, by the same names."""
    import albumentations as A
    import cv2

    reflect = {"border_mode": cv2.BORDER_REFLECT, "p": 1}
    mean, deviation = [[v / 255 for v in row] for row in (MEAN, DEVIATION)]
    affine = {
        "rotate": (-18, 18),
        "scale": (0.9, 1.1),
        "translate_percent": (-0.1, 0.1),
    }
    return {
        "horizontal flip": A.HorizontalFlip(p=0.5),
        "vertical flip": A.VerticalFlip(p=0.5),
        "rot90": A.RandomRotate90(p=1),
        "d4": A.D4(p=1),
        "rotation": A.Rotate((-36, 36), **reflect),
        "affine": A.Affine(**affine, shear=(-5, 5), **reflect),
        "perspective": A.Perspective((0.05, 0.1), p=1),
        "elastic": A.ElasticTransform(alpha=50, sigma=10, **reflect),
        "grid distortion": A.GridDistortion(5, (-0.3, 0.3), p=1),
        "thin plate spline": A.ThinPlateSpline(p=1),
        "crop": A.RandomCrop(192, 192, p=1),
        "center crop": A.CenterCrop(192, 192, p=1),
        "resized crop": A.RandomResizedCrop((160, 160), p=1),
        "resize": A.Resize(160, 160, p=1),
        "letter box": A.Compose([A.LongestMaxSize(256), A.PadIfNeeded(256, 256)]),
        "brightness": A.RandomBrightnessContrast(0.2, 0.0, p=1),
        "contrast": A.RandomBrightnessContrast(0.0, 0.2, p=1),
        "colour jitter": A.ColorJitter(
            (0.8, 1.2), (0.8, 1.2), (0.8, 1.2), (-0.05, 0.05), p=1
        ),
        "grayscale": A.ToGray(p=1),
        "invert": A.InvertImg(p=1),
        "sepia": A.ToSepia(p=1),
        "planckian": A.PlanckianJitter(p=1),
        "channel shuffle": A.ChannelShuffle(p=1),
        "channel dropout": A.ChannelDropout(p=1),
        "gamma": A.RandomGamma((80, 120), p=1),
        "tone curve": A.RandomToneCurve(0.1, p=1),
        "posterize": A.Posterize((4, 4), p=1),
        "solarize": A.Solarize((0.5, 0.5), p=1),
        "auto contrast": A.AutoContrast(p=1),
        "equalize": A.Equalize(p=1),
        "clahe": A.CLAHE((4, 4), p=1),
        "sharpen": A.Sharpen(p=1),
        "gaussian blur": A.GaussianBlur((7, 7), (0.5, 3.0), p=1),
        "motion blur": A.MotionBlur((7, 7), p=1),
        "median blur": A.MedianBlur((5, 5), p=1),
        "jpeg": A.ImageCompression("jpeg", (60, 90), p=1),
        "downscale": A.Downscale((0.25, 0.5), p=1),
        "gaussian noise": A.GaussNoise((0.1, 0.1), p=1),
        "shot noise": A.ShotNoise((0.1, 0.2), p=1),
        "salt and pepper": A.SaltAndPepper((0.01, 0.06), p=1),
        "coarse dropout": A.CoarseDropout((1, 8), (0.05, 0.2), (0.05, 0.2), p=1),
        "erasing": A.Erasing(fill="random", p=1),
        "normalize": A.Normalize(mean, deviation, p=1),
        CHAIN: A.Compose(
            [
                A.HorizontalFlip(p=0.5),
                A.Affine(**affine, **reflect),
                A.ColorJitter((0.8, 1.2), (0.8, 1.2), (0.8, 1.2), (-0.05, 0.05), p=1),
                A.Normalize(mean, deviation),
            ]
        ),
    }


def milliseconds(sides, repeats):
    """Median time of each side, which take turns."""
    times = {name: [] for name in sides}
    for repeat in range(repeats + 1):
        for name, run in sides.items():
            start = time.perf_counter()
            run()
            if repeat:  # the first one imports and allocates
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(times[name]) for name in sides}


def compare(batch, size, repeats, only=None):
    """A result for each operation: milliseconds an image, and the ratio."""
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    images = photographs(batch, size)
    others = theirs()
    for name, layer in ours().items():
        if only and name not in only:
            continue
        other = others[name]
        sides = {
            "perfkit": lambda layer=layer: layer.on_host(images),
            "one by one": lambda layer=layer: [layer.on_host(x) for x in images],
            "albumentations": lambda other=other: np.stack(
                [other(image=x)["image"] for x in images]
            ),
        }
        times = {k: v / batch for k, v in milliseconds(sides, repeats).items()}
        yield {
            "line": "host",
            "operation": name,
            "milliseconds": times,
            "ratio": times["albumentations"] / times["perfkit"],
            "ratio_one_by_one": times["albumentations"] / times["one by one"],
        }
    cv2.setNumThreads(threads)


def show(result):
    times = result["milliseconds"]
    cells = "".join(f"{times[side]:13.3f}" for side in times)
    print(
        f"{result['operation']:24s}{cells}{result['ratio']:9.2f}"
        f"{result['ratio_one_by_one']:12.2f}"
    )


def show_head():
    print("\nhost, uint8, one thread: milliseconds an image, and times Albumentations")
    names = ("perfkit", "one by one", "albument.")
    print(f"{'':24s}" + "".join(f"{n:>13s}" for n in names) + "    times  one by one")
