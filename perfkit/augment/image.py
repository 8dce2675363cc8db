"""What all operations on images have in common."""

from perfkit.augment._images import Images
from perfkit.augment.operation import Operation


class ImageAugment(Operation):
    """Base of the families that augment images.

    Inputs are images, or a dict with `"images"` and any of `"labels"`,
    `"segmentation_masks"`, `"bounding_boxes"` (`{"boxes": ..., "labels": ...}`),
    `"keypoints"` (x and y in pixels) and keys that pass by untouched. Images are
    one image, a batch, or a batch of videos, whose frames are all changed alike;
    integers or floats. They come out in the layer's compute dtype, which may be
    `dtype="uint8"`. Coordinates are continuous: pixel `i` covers `[i, i + 1)`.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the
            Keras default.
        bounding_box_format: Format of the boxes, which Keras names: `"xyxy"`,
            `"yxyx"`, `"xywh"`, `"center_xywh"`, `"center_yxhw"`, `"rel_xyxy"`,
            `"rel_yxyx"`, `"rel_xywh"` or `"rel_center_xywh"`. Needed where there
            are boxes.
        min_visible: How much of a box, once it is moved, has to be seen. Boxes are
            clipped to the image, and one of which less is left gets the label -1,
            as does any without area. Fraction of the area of the moved box, within
            [0, 1]. A `Pipeline` goes by its own.
        **kwargs: See `Operation` (`rate`, `seed`, ...).
    """

    def __init__(
        self, *, data_format=None, bounding_box_format=None, min_visible=0.0, **kwargs
    ):
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.modality = Images(owner, data_format, bounding_box_format, min_visible)
        self.min_visible = self.modality.min_visible
        self.data_format = self.modality.data_format
        self.bounding_box_format = self.modality.bounding_box_format
