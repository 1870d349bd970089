"""How much a flow moves, tick by tick, and how near a flow is to the true one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FlowFields = NDArray[np.float32]


def end_point_error(field: FlowFields, reference: FlowFields) -> float:
    """Mean length of the difference of fields [T, 2, G, G], in longer sides of the picture per second."""
    return float(np.sqrt(((field.astype(np.float64) - reference) ** 2).sum(1)).mean())


def best_constant(true: FlowFields, loud_db: NDArray[np.float64]) -> FlowFields:
    """The control: one field, scaled by the sound's amplitude, that fits the clip itself in least squares."""
    amplitude = 10.0 ** (loud_db / 20.0)
    field = np.einsum("t,tcyx->cyx", amplitude, true) / max(1e-12, float((amplitude**2).sum()))
    return np.asarray(amplitude[:, None, None, None] * field, np.float32)


def energy_of(flow: FlowFields) -> NDArray[np.float64]:
    """How much moves at each tick: the logarithm of the mean speed."""
    return np.asarray(np.log(np.sqrt((flow.astype(np.float64) ** 2).sum(1)).mean((1, 2)) + 1e-3))


def series_correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Correlation of two series; 0 where one of them is constant."""
    if one.std() < 1e-9 or other.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def shifted_correlation(one: NDArray[np.float64], other: NDArray[np.float64], most: int) -> float:
    """The best correlation of two equally long series over shifts of one by up to so many ticks either way.

    It makes up for a film's sound that is late or early. Whatever it is compared with must be allowed the same search.
    """
    size = len(one)
    shifts = range(-most, most + 1)
    pairs = ((one[max(0, k) : size + min(0, k)], other[max(0, -k) : size + min(0, -k)]) for k in shifts)
    return max(series_correlation(a, b) for a, b in pairs)
