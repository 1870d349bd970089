"""Pictures and a page of a scene, for a person: its layers, roots and modes, what lies behind them, how it moves."""

from __future__ import annotations

import base64
import html

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.painting.layer_renderer import LayerRenderer
from streaming.scenes.layered_scene import LayeredScene, SceneLayer

Image = NDArray[np.uint8]
COLOURS = ((96, 96, 255), (96, 224, 96), (255, 144, 96), (64, 224, 255), (255, 112, 224), (224, 224, 64))
"""BGR of the layers' outlines, one after another."""
ARROW = 2.0
"""An arrow is so many times as long as its mode's reach."""
AMPLITUDE = 0.8
"""How far the two moved pictures are moved."""
TITLES = ("layers, roots and modes", "the ground, filled in", "moved one way", "moved the other way")
STYLE = """body{font:16px sans-serif;background:#181818;color:#ddd;margin:2em}
figure{display:inline-block;margin:4px}img{max-width:46vw}
td,th{text-align:left;padding:2px 1em 2px 0;vertical-align:top}"""
HELP = (
    "To correct it, draw a picture of any size in which each grey level or colour is one layer and black is the "
    "ground, darker layers lying behind brighter ones, and save it beside the image as {mask}; it is taken instead of "
    "what was found. The last picture below is such a mask of the layers that were found: start from it."
)


def draw_layers(scene: LayeredScene) -> Image:
    """The image with each layer tinted and outlined, its root as a dot, and each mode as an arrow; uint8 [H, W, 3]."""
    out = scene.image * np.float32(0.5)
    for number, layer in enumerate(scene.layers[1:]):
        left, top, right, bottom = layer.box
        opacity, colour = layer.cover[..., 3:] / np.float32(255), np.array(_colour(number), np.float32)
        part, image = out[top:bottom, left:right], scene.image[top:bottom, left:right]
        part[:] = part * (1 - opacity) + opacity * (0.7 * image + 0.3 * colour)
        hard = (opacity[..., 0] > 0.5).astype(np.uint8)
        part[cv2.morphologyEx(hard, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0] = colour
    picture = np.clip(out, 0, 255).astype(np.uint8)
    height, width = picture.shape[:2]
    for number, layer in enumerate(scene.layers[1:]):
        cv2.circle(picture, _point(*layer.root), 5, _colour(number), -1, cv2.LINE_AA)
        cv2.circle(picture, _point(*layer.root), 6, (0, 0, 0), 1, cv2.LINE_AA)
    for mode in scene.modes:
        start = width / 2 + mode.place[0] * scene.longer, height / 2 + mode.place[1] * scene.longer
        length = ARROW * mode.reach * scene.longer
        end = _point(start[0] + mode.way[0] * length, start[1] + mode.way[1] * length)
        colour_of_mode = (255, 255, 255) if mode.layer == 0 else _colour(mode.layer - 1)
        cv2.arrowedLine(picture, _point(*start), end, (0, 0, 0), 4, cv2.LINE_AA, tipLength=0.3)
        cv2.arrowedLine(picture, _point(*start), end, colour_of_mode, 2, cv2.LINE_AA, tipLength=0.3)
    return np.asarray(picture, np.uint8)


def draw_mask(scene: LayeredScene) -> Image:
    """The layers as a mask that could be given with the image: uint8 [H, W], 0 the ground, brighter to the front."""
    out = np.zeros(scene.image.shape[:2], np.uint8)
    count = len(scene.layers) - 1
    for number, layer in enumerate(scene.layers[1:]):
        left, top, right, bottom = layer.box
        out[top:bottom, left:right][layer.cover[..., 3] > 127] = round(255 * (number + 2) / (count + 1))
    return out


def draw_moved(scene: LayeredScene) -> tuple[Image, Image]:
    """The picture with all modes moved one way and the other."""
    signs = np.where(np.arange(len(scene.modes)) % 2 == 0, 1.0, -1.0)
    renderer = LayerRenderer(scene)
    return renderer.render(AMPLITUDE * signs), renderer.render(-AMPLITUDE * signs)


def draw_sheet(scene: LayeredScene) -> Image:
    """Four pictures with their titles, two by two."""
    ground = np.ascontiguousarray(scene.layers[0].cover[..., :3])
    cells = [
        _titled(image, title)
        for image, title in zip((draw_layers(scene), ground, *draw_moved(scene)), TITLES, strict=True)
    ]
    return np.vstack([np.hstack(cells[:2]), np.hstack(cells[2:])])


def make_page(scene: LayeredScene, name: str, mask_name: str) -> str:
    """The page of a scene as HTML in one file.

    Args:
        scene: the scene.
        name: of the image, for a person.
        mask_name: what a mask must be called.
    """
    ground = np.ascontiguousarray(scene.layers[0].cover[..., :3])
    figures = [
        _figure(image, title, ".jpg")
        for image, title in zip((draw_layers(scene), ground, *draw_moved(scene)), TITLES, strict=True)
    ]
    if len(scene.layers) > 1:
        figures.append(_figure(draw_mask(scene), mask_name, ".png"))
    rows = [_row(scene, number, layer) for number, layer in enumerate(scene.layers)]
    title = html.escape(name)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"<h1>{title}</h1><p>{html.escape(HELP.format(mask=mask_name))}</p>{''.join(figures)}"
        "<table><tr><th>layer</th><th>what</th><th>share of the picture</th><th>modes</th></tr>"
        f"{''.join(rows)}</table></html>\n"
    )


def describe_scene(scene: LayeredScene) -> str:
    """The scene in one line."""
    kinds = [layer.kind for layer in scene.layers]
    counts = f"{kinds.count('person')} persons, {kinds.count('thing')} things before the ground"
    return f"{counts}, {len(scene.modes)} modes"


def _row(scene: LayeredScene, number: int, layer: SceneLayer) -> str:
    share = float((layer.cover[..., 3] / 255).sum()) / (scene.image.shape[0] * scene.image.shape[1])
    modes = "<br>".join(
        f"{mode.name}, {mode.hz:.1f} Hz, as far as {mode.reach * scene.longer:.0f} pixels"
        for mode in scene.modes
        if mode.layer == number
    )
    return f"<tr><td>{number}</td><td>{layer.kind}</td><td>{100 * share:.0f} %</td><td>{modes}</td></tr>"


def _figure(image: Image, title: str, kind: str) -> str:
    data = base64.b64encode(cv2.imencode(kind, image)[1].tobytes()).decode()
    media = "jpeg" if kind == ".jpg" else "png"
    words = html.escape(title)
    source = f"data:image/{media};base64,{data}"
    return f'<figure><img alt="{words}" src="{source}"><figcaption>{words}</figcaption></figure>'


def _titled(image: Image, title: str) -> Image:
    bar = np.full((26, image.shape[1], 3), 24, np.uint8)
    cv2.putText(bar, title, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (230, 230, 230), 1, cv2.LINE_AA)
    return np.vstack([bar, image])


def _colour(number: int) -> tuple[int, int, int]:
    return COLOURS[number % len(COLOURS)]


def _point(x: float, y: float) -> tuple[int, int]:
    return round(x), round(y)
