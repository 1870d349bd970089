"""The modes of the ground: the lowest deformations of an elastic sheet, each brought to a place of its own.

The sheet resists motion across the picture's edges and differences between cells of one colour. Of the lowest modes of
that energy a rotation (varimax: Kaiser 1958) makes as many local ones. Cells with structure weigh most, so that modes
are where motion is seen and not in flat areas.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import eigsh

from streaming.scenes.making.cuts.superpixels import to_lab
from streaming.scenes.making.modes.mode_draft import Floats, Grid, ModeDraft

CELLS = 40
"""Cells along the picture's longer side in which the energy is set up."""
ACROSS = 0.25
"""What motion across edges costs."""
BORDER, ALONG_BORDER = 4.0, 2.0
"""What motion out of the picture costs, and motion along its sides: many pictures have a frame."""
STILL = 8.0
"""What motion costs where a layer covers the ground: things move before a still ground."""
REACH = 0.024
"""The longest displacement at an amplitude of 1, in longer sides."""
BANDS_HZ = (0.7, 1.1, 1.7, 2.6)
BANDS_REACH = (1.0, 0.85, 0.65, 0.5)
"""Frequencies and relative reaches; large regions are slow and move far."""
DAMPING = 0.4

Doubles = NDArray[np.float64]


def make_ground_modes(
    image: NDArray[np.uint8], covered: Floats, grid: Grid, count: int, gain: float = 1.0
) -> list[ModeDraft]:
    """The modes of the ground.

    Args:
        image: uint8 [H, W, 3] BGR.
        covered: float32 [H, W], 0 to 1, where layers lie on the ground.
        grid: of the whole picture.
        count: how many modes.
        gain: of their reach.
    """
    height, width = image.shape[:2]
    scale = CELLS / max(height, width)
    size = max(8, round(width * scale)), max(8, round(height * scale))
    hidden = cv2.resize(covered, size, interpolation=cv2.INTER_AREA) > 0.15
    structure = _structure_tensor(image, size)
    energy = _energy(image, structure, hidden.astype(np.float64), size)
    mass = np.tile(_mass(structure, hidden).ravel(), 2)
    # A start of its own keeps the result the same at every run.
    start = np.random.default_rng(0).standard_normal(len(mass))
    _, vectors = eigsh(energy, k=count, M=sparse.diags(mass).tocsc(), sigma=0.0, which="LM", v0=start)
    local = _varimax(vectors * np.sqrt(mass)[:, None]) / np.sqrt(mass)[:, None]
    fields = [_at_grid(local[:, k], size, grid) for k in range(count)]
    areas = [float((np.linalg.norm(field, axis=-1) > 0.35).mean()) for field in fields]
    found: list[ModeDraft] = []
    for rank, number in enumerate(np.argsort(areas)[::-1]):
        band = rank * len(BANDS_HZ) // count
        reach = gain * REACH * BANDS_REACH[band]
        found.append(ModeDraft("region", BANDS_HZ[band], DAMPING, reach, fields[number]))
    return found


def _structure_tensor(image: NDArray[np.uint8], size: tuple[int, int]) -> Doubles:
    """Float64 [3, rows, columns]: xx, xy, yy of the grey gradient, averaged in each cell."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32) / 255
    grey = cv2.GaussianBlur(grey, (0, 0), 1.2)
    x, y = cv2.Scharr(grey, cv2.CV_32F, 1, 0), cv2.Scharr(grey, cv2.CV_32F, 0, 1)
    sigma = 0.5 * max(grey.shape) / CELLS
    parts = [
        cv2.resize(cv2.GaussianBlur(product, (0, 0), sigma), size, interpolation=cv2.INTER_AREA)
        for product in (x * x, x * y, y * y)
    ]
    return np.stack(parts).astype(np.float64)


def _mass(structure: Doubles, hidden: NDArray[np.bool_]) -> Doubles:
    """What each cell weighs: much where there is structure, little where it is flat or hidden."""
    energy = np.sqrt(structure[0] + structure[2])
    visible = energy[~hidden] if (~hidden).any() else energy
    unit = float(np.percentile(visible, 75)) + 1e-6
    mass = 0.06 + np.clip(energy / unit, 0, 1) ** 1.5
    mass[hidden] = 0.02
    return np.asarray(mass, np.float64)


def _energy(image: NDArray[np.uint8], structure: Doubles, hidden: Doubles, size: tuple[int, int]) -> sparse.csc_matrix:
    """The energy of a displacement, all x before all y: a sparse matrix [2 n, 2 n]."""
    columns, rows = size
    trace = structure[0] + structure[2]
    normal = structure / (trace + 0.25 * (np.percentile(trace, 70) + 1e-9))
    xx, xy, yy = (ACROSS * part.ravel() for part in normal)
    across = sparse.bmat([[sparse.diags(xx), sparse.diags(xy)], [sparse.diags(xy), sparse.diags(yy)]])
    small = to_lab(np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8))
    right = np.linalg.norm(small[:, 1:] - small[:, :-1], axis=-1)
    down = np.linalg.norm(small[1:] - small[:-1], axis=-1)
    unit = 2 * float(np.median(np.r_[right.ravel(), down.ravel()])) + 2
    links = _laplacian(np.exp(-((right / unit) ** 2)) + 0.05, np.exp(-((down / unit) ** 2)) + 0.05, size)
    side_x, side_y = STILL * hidden, STILL * hidden
    side_x[:, [0, -1]] += BORDER
    side_x[[0, -1]] += ALONG_BORDER
    side_y[[0, -1]] += BORDER
    side_y[:, [0, -1]] += ALONG_BORDER
    held = sparse.diags(np.r_[side_x.ravel(), side_y.ravel()])
    energy = across + 1.2 * sparse.block_diag([links, links]) + held + 1e-4 * sparse.eye(2 * rows * columns)
    return sparse.csc_matrix(energy)


def _laplacian(right: NDArray[np.floating], down: NDArray[np.floating], size: tuple[int, int]) -> sparse.csr_matrix:
    """The graph Laplacian of cells, with the weights of links to the right and downwards."""
    columns, rows = size
    cells = np.arange(rows * columns).reshape(rows, columns)
    one = np.r_[cells[:, :-1].ravel(), cells[:-1].ravel()]
    other = np.r_[cells[:, 1:].ravel(), cells[1:].ravel()]
    weights = np.r_[right.ravel(), down.ravel()].astype(np.float64)
    count = rows * columns
    links = sparse.coo_matrix((np.r_[weights, weights], (np.r_[one, other], np.r_[other, one])), (count, count))
    return sparse.csr_matrix(sparse.diags(np.asarray(links.sum(1)).ravel()) - links)


def _varimax(vectors: Doubles) -> Doubles:
    """Vectors [2 n, k] rotated so that each is large in few cells."""
    count = vectors.shape[1]
    cells = len(vectors) // 2
    rotation = np.eye(count)
    for _ in range(60):
        rotated = vectors @ rotation
        power = np.tile(rotated[:cells] ** 2 + rotated[cells:] ** 2, (2, 1))
        left, _, right = np.linalg.svd(vectors.T @ (power * rotated - rotated * power.mean(0)))
        rotation = left @ right
    return vectors @ rotation


def _at_grid(vector: Doubles, size: tuple[int, int], grid: Grid) -> Floats:
    """A vector as a field over the ground's grid, about 1 long where it is longest, and of one sign at every run."""
    columns, rows = size
    count = rows * columns
    field = np.stack([vector[:count].reshape(rows, columns), vector[count:].reshape(rows, columns)], -1)
    large = cv2.resize(field.astype(np.float32), grid.x.shape[::-1], interpolation=cv2.INTER_CUBIC)
    lengths = np.linalg.norm(large, axis=-1)
    peak = large.reshape(-1, 2)[int(np.argmax(lengths))]
    sign = 1.0 if peak[int(np.argmax(np.abs(peak)))] > 0 else -1.0
    return np.asarray(sign * large / (float(np.percentile(lengths, 99.5)) + 1e-9), np.float32)
