"""Variations of what a camera sees: of recorded motion, as if from another place, and of frames, as after a codec."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

UNSURE = 0.0025
"""Standard deviation of the noise on embeddings, in half pictures; more would hide a semitone."""


def unsure(embedding: Tensor, rng: np.random.Generator) -> Tensor:
    """Embeddings [..., E] of any precision with a little noise, as float32."""
    noise = rng.normal(0.0, UNSURE, tuple(embedding.shape)).astype(np.float32)
    return embedding.float() + torch.from_numpy(noise)


def vary(flow: Tensor, speed: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Motion as a nearer or farther camera has it, shifted by up to a cell, with parts of the picture hidden.

    Args:
        flow: [B, T, 2, G, G].
        speed: [B, T, G, G].
        rng: random generator; one draw for each of the B rows.
    """
    batch, grid = flow.shape[0], flow.shape[-1]
    gain = np.exp(rng.normal(0, 0.15, (batch, 1, 1, 1)))
    hidden = (rng.random((batch, 1, grid, grid)) < 0.08) & (rng.random((batch, 1, 1, 1)) < 0.5)
    weight = torch.from_numpy((gain * ~hidden).astype(np.float32))
    flow, speed = flow * weight[:, :, None], speed * weight
    shifts = rng.integers(-1, 2, (batch, 2)) * (rng.random((batch, 1)) < 0.6)
    for row, (down, right) in enumerate(shifts.tolist()):
        if down or right:
            flow[row] = flow[row].roll((down, right), (-2, -1))
            speed[row] = speed[row].roll((down, right), (-2, -1))
    return flow, speed


def recompress(images: list[NDArray[np.uint8]], quality: int) -> list[NDArray[np.uint8]]:
    """Frames after H.264 at a low bit rate, as a film from the net or a video call has them.

    Args:
        images: uint8 [H, W, 3], BGR, all of one size with even sides.
        quality: constant rate factor, 18 (hardly visible) to 45 (blocks everywhere).

    Returns:
        As many frames of the same size.
    """
    height, width = images[0].shape[:2]
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base = Fraction(1, 30)
    encoder.options = {"crf": str(quality), "preset": "ultrafast", "threads": "1", "bf": "0"}
    decoder: Any = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    packets = [
        packet
        for number, image in enumerate(images)
        for packet in encoder.encode(_stamped(av.VideoFrame.from_ndarray(image, format="bgr24"), number))
    ]
    packets += encoder.encode(None)
    frames = [frame for packet in packets for frame in decoder.decode(packet)] + decoder.decode(None)
    return [np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in frames]


def _stamped(frame: Any, number: int) -> Any:
    frame.pts = number
    return frame
