"""A codec like MusicGen's with its large matrices in 8-bit integers, as reading the weights takes most of a tick.

Each row of a matrix is rounded in blocks of 32 with a scale of their own, and so is what it is multiplied with, while
it runs: nothing is calibrated. Sums stay exact. Convolutions of many frames have few weights and stay in single
precision, and so do the codebooks.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from engines.runtimes.onnxruntime_runtime import OnnxRunner
from engines.runtimes.torch_runtime import TorchRunner
from models.codec.codec import TokenCodec
from models.codec.encodec import Encodec
from models.tick_modules import DecoderTick, EncoderTick, TickModule

BLOCK = 32
"""Numbers that share a scale; with 128 a product takes 10 to 25% less, and the decoder's error is 1.5 dB louder."""
COMPUTED_IN_8_BITS = 4
"""`accuracy_level` of the runtime's product: what the weights are multiplied with is rounded, too."""
DOMAIN = "com.microsoft"
SECONDS = 1.0
"""Of sound that is compared."""
PARITY_SEED = 7_200_000


def is_encodec_half(tick: TickModule) -> bool:
    """Whether it is half of a codec that is large enough to be worth it."""
    return isinstance(tick, (EncoderTick, DecoderTick)) and isinstance(tick.sounding, Encodec)


def round_weights(tick: TickModule, data: bytes) -> bytes:
    """An exported half of the codec, its large matrices in 8-bit integers.

    Args:
        tick: the half.
        data: its ONNX file in single precision.
    """
    model = onnx.load_from_string(_folded(data))
    graph = model.graph
    spared = [book.T for book in _codec_of(tick).quantizer.codebooks.numpy()]
    known = {tensor.name: tensor for tensor in graph.initializer}
    small: dict[bytes, str] = {}
    nodes: list[Any] = []
    for node in graph.node:
        matrix = _matrix(node, known)
        if matrix is None or matrix.shape[0] % BLOCK or any(np.array_equal(matrix, book) for book in spared):
            nodes.append(node)
            continue
        # A matrix that is used at each of a tick's frames is there once.
        name = small.setdefault(matrix.tobytes(), f"{node.input[1]}.rounded")
        if name not in known:
            known |= {tensor.name: tensor for tensor in _int8_tensors(name, matrix)}
        nodes.extend(_product(node, name, matrix.shape))
    used = {name for node in nodes for name in node.input}
    tensors = [tensor for name, tensor in known.items() if name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(tensors)
    if all(opset.domain != DOMAIN for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    found: bytes = model.SerializeToString()
    return found


def _folded(data: bytes) -> bytes:
    """With all that is constant computed, so that each matrix is a tensor of the file."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        whole, folded = Path(folder) / "whole.onnx", Path(folder) / "folded.onnx"
        whole.write_bytes(data)
        quant_pre_process(str(whole), str(folded), skip_symbolic_shape=True)
        return folded.read_bytes()


def _matrix(node: Any, known: dict[str, Any]) -> NDArray[np.float32] | None:
    """What a product multiplies by, [K, N], where that is constant."""
    if node.op_type not in ("MatMul", "Gemm") or node.input[1] not in known:
        return None
    matrix = numpy_helper.to_array(known[node.input[1]])
    if matrix.ndim != 2:
        return None
    values = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    plain = values.get("alpha", 1.0) == values.get("beta", 1.0) == 1.0 and not values.get("transA", 0)
    if not plain:
        return None
    return np.ascontiguousarray(matrix.T if values.get("transB", 0) else matrix)


def _int8_tensors(name: str, matrix: NDArray[np.float32]) -> tuple[Any, Any]:
    """A matrix [K, N] as the runtime wants it: uint8 [N, K / BLOCK, BLOCK] about 128, and scales [N, K / BLOCK]."""
    blocks = matrix.T.reshape(matrix.shape[1], -1, BLOCK)
    scale = np.maximum(np.abs(blocks).max(-1, keepdims=True) / 127, np.finfo(np.float32).tiny)
    steps = (np.rint(blocks / scale) + 128).astype(np.uint8)
    return numpy_helper.from_array(steps, name), numpy_helper.from_array(scale[..., 0], f"{name}.scale")


def _product(node: Any, name: str, shape: tuple[int, ...]) -> list[Any]:
    """The nodes that take a product's place."""
    added = list(node.input[2:3])
    out = f"{node.output[0]}.product" if added else node.output[0]
    product = helper.make_node(
        "MatMulNBits",
        [node.input[0], name, f"{name}.scale"],
        [out],
        name=node.name,
        domain=DOMAIN,
        K=shape[0],
        N=shape[1],
        bits=8,
        block_size=BLOCK,
        accuracy_level=COMPUTED_IN_8_BITS,
    )
    return [product, *([helper.make_node("Add", [out, added[0]], [node.output[0]])] if added else [])]


def _codec_of(tick: TickModule) -> TokenCodec:
    if not isinstance(tick, (EncoderTick, DecoderTick)) or not isinstance(tick.sounding, TokenCodec):
        raise TypeError(f"{type(tick).__name__} is not half of a codec")
    return tick.sounding


def parity_notes(seed: int, ticks: int, samples: int) -> list[NDArray[np.float32]]:
    """Plucked notes over a soft hiss, a tick each: float32 [1, 1, samples] in -1..1."""
    rng = np.random.default_rng(seed)
    length = ticks * samples
    sound = 0.003 * rng.standard_normal(length)
    for begin in range(0, length, 3 * samples):
        time = np.arange(length - begin)
        partials = 0.02 * 2.0 ** rng.uniform(-2.0, 1.5) * np.arange(1, 9)
        waves = np.sin(partials[:, None] * time) / np.arange(1, 9)[:, None]
        sound[begin:] += rng.uniform(0.02, 0.3) * np.exp(-time / (6.0 * samples)) * waves.sum(0)
    sound = np.clip(sound, -1.0, 1.0).astype(np.float32)
    return list(sound.reshape(ticks, 1, 1, samples))


def relative_noise(want: Sequence[NDArray[Any]], got: Sequence[NDArray[Any]]) -> float:
    """How loud the difference of two streams is, relative to what in the first one changes from tick to tick."""
    first, second = (np.stack(stream).astype(np.float64) for stream in (want, got))
    return float(np.sqrt(((second - first) ** 2).mean() / (first - first.mean(0)).var()))


def codec_parity(tick: TickModule, data: bytes) -> dict[str, float]:
    """Compare a half with torch on notes, and the decoder on tokens drawn by chance as well.

    Returns:
        Of the decoder `output`: the loudness of its error relative to its sound. Of the encoder `codes`: the share of
        tokens that differ; and `output`: by how much what they say lies farther from what was heard, relative to that.
    """
    codec = _codec_of(tick)
    hop, rate = codec.config.hop, codec.config.sample_rate
    count = round(SECONDS * rate / (2 * hop))
    played = parity_notes(PARITY_SEED, count, 2 * hop)
    ours, theirs = TorchRunner(tick, torch.device("cpu")), OnnxRunner(data)
    if isinstance(tick, DecoderTick):
        with torch.inference_mode():
            heard = codec.encode(torch.from_numpy(np.concatenate(played, -1)))
        drawn = np.random.default_rng(PARITY_SEED).integers(0, codec.config.cardinality, heard.shape)
        codes = np.split(np.concatenate([heard.numpy(), drawn], -1), 2 * count, -1)
        want, got = ([runner.run({"frames": frames}) for frames in codes] for runner in (ours, theirs))
        # What is said before its latency has passed is the beginning's silence.
        late = -(-tick.latency_samples // (2 * hop))
        return {"output": relative_noise(want[late:], got[late:])}
    want, got = ([runner.run({"pcm": pcm}) for pcm in played] for runner in (ours, theirs))
    first, second = (torch.from_numpy(np.concatenate(stream, -1)) for stream in (want, got))
    return {
        "output": _distance_increase(codec, played, first, second),
        "codes": float((first != second).float().mean()),
    }


@torch.inference_mode()
def _distance_increase(
    codec: TokenCodec, played: list[NDArray[np.float32]], want: torch.Tensor, got: torch.Tensor
) -> float:
    state, heard = codec.encoder.init_state(1), []
    for pcm in played:
        latents, state = codec.encoder.step(torch.from_numpy(pcm), state)
        heard.append(latents)
    latents = torch.cat(heard, -1)
    off = [float((codec.quantizer.decode(codes) - latents).norm() / latents.norm()) for codes in (want, got)]
    return max(0.0, off[1] - off[0])
