"""Finds the camera's own motion in a flow field, and the change of brightness between two views."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.float32]

STILL_PX = 0.1
"""A cell that moves by less, in pixels of the 256-pixel view, is at rest."""
MIN_TEXTURE = 2.0
"""Mean gradient, in grey levels per pixel of the smoothed view, below which the flow of a cell is not measured."""
SPREADS_PX = (3.0, 1.0, 0.5, 0.3)
"""Residual, in pixels, at which a cell's weight has fallen to a quarter: one value for each round of the fit."""
RESIDUAL_PX, RESIDUAL_SHARE = 0.3, 0.15
"""A cell follows the camera when its residual is below the first plus this share of the camera's own displacement."""
RESTING = (0.15, 0.3)
"""Share of the measured cells that are at rest: below the first the camera may move, above the second it does not."""
FOLLOWING = (0.25, 0.4)
"""Share of all cells that must follow the camera: no correction below the first, full correction above the second."""
BORDER = (0.4, 0.6)
"""The same for the measured cells at the picture's border, which a performer seldom fills."""
MIN_BORDER_SHARE = 0.4
"""At least this share of the border's cells counts, measured or not."""
MIN_CELLS = 8
REFINEMENTS = 2
"""Rounds of `refine_shake`; a third changes nothing that is seen."""
MIN_GAIN = 0.004
"""Relative changes of brightness up to this are noise."""


@dataclass(frozen=True)
class CameraShake:
    """A similarity that moves the whole view between two frames.

    At (x, y), in -1..1 from the view's middle, the displacement in pixels is
    (`right` + `zoom` x - `turn` y, `down` + `turn` x + `zoom` y).
    """

    right: float = 0.0
    down: float = 0.0
    zoom: float = 0.0
    turn: float = 0.0

    @property
    def moves(self) -> bool:
        """Whether it is more than the identity."""
        return self != CameraShake()

    @property
    def size_px(self) -> float:
        """Root-mean-square displacement over the view in pixels."""
        return float(np.sqrt(self.right**2 + self.down**2 + 2.0 * (self.zoom**2 + self.turn**2) / 3.0))

    def scaled(self, share: float) -> CameraShake:
        """A share of this motion."""
        return CameraShake(*(share * value for value in (self.right, self.down, self.zoom, self.turn)))

    def plus(self, other: CameraShake) -> CameraShake:
        """This motion and another one after it, both small."""
        return CameraShake(
            self.right + other.right, self.down + other.down, self.zoom + other.zoom, self.turn + other.turn
        )

    def flow(self, side: int) -> Cells:
        """Its displacement in pixels on a square grid: float32 [2, side, side]."""
        x, y = _coordinates(side)
        u = self.right + self.zoom * x - self.turn * y
        v = self.down + self.turn * x + self.zoom * y
        return np.stack(np.broadcast_arrays(u, v)).astype(np.float32)


def _coordinates(side: int) -> tuple[Cells, Cells]:
    centres = ((np.arange(side, dtype=np.float32) + 0.5) * 2.0 / side - 1.0).astype(np.float32)
    return centres[None, :], centres[:, None]


def measure_texture(view: Cells, side: int) -> Cells:
    """Mean absolute gradient of a smoothed view [S, S] in each cell: float32 [side, side], grey levels per pixel."""
    gradient = cv2.absdiff(view[:, 2:], view[:, :-2])[1:-1] + cv2.absdiff(view[2:], view[:-2])[:, 1:-1]
    return np.asarray(cv2.resize(gradient, (side, side), interpolation=cv2.INTER_AREA), np.float32) * np.float32(0.5)


def fit_camera_shake(flow: Cells, texture: Cells, content: NDArray[np.bool_]) -> CameraShake:
    """Fit the camera's motion to a flow field; performers are outliers.

    A fit that most cells do not follow, or that leaves cells at rest, is no camera's. In between a share of it is
    returned, so that the correction never jumps.

    Args:
        flow: float32 [2, N, N], displacement of each cell in pixels.
        texture: `measure_texture` of the view, float32 [N, N].
        content: bool [N, N], which cells show the picture.

    Returns:
        The motion to take out; the identity for a camera that stands still.
    """
    measured = content & (texture > MIN_TEXTURE)
    count = int(measured.sum())
    if count < MIN_CELLS:
        return CameraShake()
    u, v = flow[0][measured], flow[1][measured]
    share = 1.0 - _ramp(float((u * u + v * v < STILL_PX**2).mean()), *RESTING)
    if share == 0.0:
        return CameraShake()
    side = flow.shape[-1]
    x, y = (np.broadcast_to(axis, (side, side))[measured] for axis in _coordinates(side))
    shake = _fit(u, v, x, y)
    modelled = shake.flow(side)
    residual = np.hypot(*(flow - modelled))
    follows = measured & (residual < RESIDUAL_PX + RESIDUAL_SHARE * np.hypot(*modelled))
    share *= _ramp(float(follows.sum()) / max(1, int(content.sum())), *FOLLOWING)
    border = content & ~_eroded(content)
    needed = max(float((measured & border).sum()), MIN_BORDER_SHARE * float(border.sum()))
    share *= _ramp(float((follows & border).sum()) / max(1.0, needed), *BORDER)
    return shake.scaled(share) if share > 0.0 else CameraShake()


def _fit(u: Cells, v: Cells, x: Cells, y: Cells) -> CameraShake:
    """Iteratively reweighted least squares (Geman and McClure's weights), from the medians on."""
    values = np.array([np.median(u), np.median(v), 0.0, 0.0])
    zero, one = np.zeros_like(x), np.ones_like(x)
    rows = np.stack([np.stack([one, zero, x, -y]), np.stack([zero, one, y, x])]).astype(np.float64)
    targets = np.stack([u, v]).astype(np.float64)
    for spread in SPREADS_PX:
        errors = targets - np.einsum("k,dkn->dn", values, rows)
        weights = 1.0 / (1.0 + (errors**2).sum(0) / spread**2) ** 2
        weighted = rows * weights
        normal = np.einsum("dkn,dln->kl", weighted, rows) + 1e-6 * np.eye(4)
        values = np.linalg.solve(normal, np.einsum("dkn,dn->k", weighted, targets))
    return CameraShake(*(float(value) for value in values))


def _eroded(content: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Content cells that are at least two cells from the content's border."""
    padded = np.pad(content, 2)
    side = content.shape[0]
    inner = content.copy()
    for step in (0, 1, 3, 4):
        inner &= padded[step : step + side, 2 : 2 + side] & padded[2 : 2 + side, step : step + side]
    return inner


def _ramp(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high` on, linear in between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def measure_gain(previous: Cells, current: Cells, content: NDArray[np.bool_]) -> float:
    """By what the brightness of a view was multiplied: the median over the picture; 1 up to noise.

    Args:
        previous: smoothed view [S, S] of the frame before.
        current: smoothed view [S, S].
        content: bool [N, N], which cells show the picture; N divides S.
    """
    step = previous.shape[0] // content.shape[0]
    before, after = (view[step // 2 :: step, step // 2 :: step][content] for view in (previous, current))
    if before.size == 0:
        return 1.0
    gain = float(np.median((after + 4.0) / (before + 4.0)))
    return gain if abs(gain - 1.0) > MIN_GAIN else 1.0


def refine_shake(
    previous: Cells, current: Cells, shake: CameraShake, gain: float, content: NDArray[np.bool_]
) -> CameraShake:
    """Fit a camera's motion to the views themselves, from a motion that is nearly right; performers are outliers.

    Args:
        previous: smoothed view [S, S] of the frame before.
        current: smoothed view [S, S].
        shake: the motion to begin with, right to about a pixel.
        gain: by what the brightness was multiplied.
        content: bool [S, S], which pixels show the picture.
    """
    side = current.shape[0]
    places = np.zeros_like(content)
    places[4:-4:2, 4:-4:2] = content[4:-4:2, 4:-4:2]
    x, y = (np.broadcast_to(axis, content.shape)[places] for axis in _coordinates(side))
    for _ in range(REFINEMENTS):
        aligned = align_view(previous, shake, gain)
        slope_x, slope_y = (cv2.Sobel(aligned, cv2.CV_32F, *axis, scale=0.125)[places] for axis in ((1, 0), (0, 1)))
        errors = (current - aligned)[places]
        spread = max(MIN_TEXTURE, 3.0 * float(np.median(np.abs(errors))))
        weights = 1.0 / (1.0 + (errors / np.float32(spread)) ** 2) ** 2
        rows = np.stack(
            [-slope_x, -slope_y, -(slope_x * x + slope_y * y), slope_x * y - slope_y * x, np.ones_like(x)]
        ).astype(np.float64)
        weighted = rows * weights
        found = np.linalg.solve(weighted @ rows.T + 1e-3 * np.eye(5), weighted @ errors)
        shake = shake.plus(CameraShake(*(float(value) * 256.0 / side for value in found[:4])))
    return shake


def align_view(previous: Cells, shake: CameraShake, gain: float) -> Cells:
    """The view before as the camera would see it now, were the scene at rest: float32 [S, S]."""
    view = previous if gain == 1.0 else previous * np.float32(gain)
    if not shake.moves:
        return view
    side = view.shape[0]
    scale, half = side / 256.0, (side - 1) / 2.0
    zoom, turn = 2.0 * shake.zoom / 256.0, 2.0 * shake.turn / 256.0
    right = shake.right * scale - zoom * half + turn * half
    down = shake.down * scale - turn * half - zoom * half
    matrix = np.array([[1.0 + zoom, -turn, right], [turn, 1.0 + zoom, down]])
    return np.asarray(cv2.warpAffine(view, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE), np.float32)
