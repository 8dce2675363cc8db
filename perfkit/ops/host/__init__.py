"""What `perfkit.ops` does, for NumPy images on the host, by OpenCV and NumPy.

Images are `(height, width, channels)`, of bytes where nothing else is said: what is
cut off at the ends of their range stays bytes, and is rounded.
"""

import functools
from typing import Any


@functools.cache
def cv2() -> Any:
    """OpenCV, which is imported when it is first needed."""
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            "perfkit works on the host by OpenCV. Install it: pip install "
            '"opencv-python-headless>=4.11"'
        ) from error
    return cv2


def flat(image):
    """An image without its axis of channels where there is one channel."""
    return image[..., 0] if image.shape[-1] == 1 else image
