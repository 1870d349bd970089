"""`run_live.py scene IMAGE`: makes the scene of an image and writes a page or a picture of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2

from streaming.commands.scene_page import describe_scene, draw_sheet, make_page
from streaming.devices.stills.drawn_mask import load_mask, mask_path
from streaming.devices.stills.prior import fit_screen, load_prior, screen_size
from streaming.errors import SourceError
from streaming.scenes.layered_scene import unpack_scene
from streaming.scenes.scene_cache import CachedSceneMaker, SceneCache, cache_folder
from streaming.system.files import new_file, reason


def show_scene(image_path: str, out: str, write: Callable[[str], None], sees_people: bool = True) -> int:
    """Make the scene of an image and write what it is.

    Args:
        image_path: the image.
        out: the file to write, a .html page or a .png picture; "" for NAME.scene.html in this folder.
        write: takes lines for the user.
        sees_people: whether people are looked for.

    Returns:
        0.

    Raises:
        UserError: when the image or its mask cannot be read, or the file cannot be written.
    """
    prior = load_prior(image_path)
    size = screen_size(prior)
    image, mask = fit_screen(prior, size), load_mask(image_path, prior.shape, size)
    packed = CachedSceneMaker(SceneCache(cache_folder()), sees_people, write).make(image, mask)
    scene = unpack_scene(image, packed)
    name = Path(image_path).name
    target = out or f"{Path(image_path).stem}.scene.html"
    if target.lower().endswith(".png"):
        data = cv2.imencode(".png", draw_sheet(scene))[1].tobytes()
    else:
        data = make_page(scene, name, mask_path(image_path).name).encode()
    try:
        file, _ = new_file(target, "number")
        file.write_bytes(data)
    except OSError as error:
        raise SourceError(f"cannot be written ({reason(error)})", target, "give --out another file") from error
    source = f", as {mask_path(image_path).name} says" if mask is not None else ""
    write(f"{name}: {describe_scene(scene)}{source}; see {file}")
    return 0
