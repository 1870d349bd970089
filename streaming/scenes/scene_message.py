"""Scenes as they travel: what the message `Scene` holds, as a `LayeredScene` and back."""

from __future__ import annotations

import numpy as np

from streaming.scenes.layered_scene import MAX_LAYERS, MAX_MODES, LayeredScene, PackedScene, unpack_scene
from streaming.scenes.plain_scene import make_plain_scene
from streaming.schema.messages import Scene


def read_scene(message: Scene) -> LayeredScene:
    """The scene in a message; a plain one for a message with an image alone.

    Raises:
        ValueError: when its arrays do not fit each other, or say what no scene has.
    """
    image = np.ascontiguousarray(message.image)
    if not message.kinds:
        return make_plain_scene(image)
    packed = PackedScene(
        message.kinds,
        message.boxes,
        message.roots,
        message.covers,
        message.mode_names,
        message.mode_table,
        message.fields,
    )
    scene = unpack_scene(image, packed)
    height, width = image.shape[:2]
    if scene.layers[0].box != (0, 0, width, height):
        raise ValueError("the first layer does not cover the whole picture")
    if len(scene.layers) > MAX_LAYERS or not 1 <= len(scene.modes) <= MAX_MODES:
        raise ValueError(f"{len(scene.layers)} layers and {len(scene.modes)} modes, not 1 to {MAX_LAYERS}, {MAX_MODES}")
    if not all(0 <= mode.layer < len(scene.layers) for mode in scene.modes):
        raise ValueError("a mode moves a layer that there is not")
    if not np.isfinite(message.fields).all():
        raise ValueError("a displacement field is not finite")
    return scene
