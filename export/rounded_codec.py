"""A codec like MusicGen's with its large matrices in 8-bit integers, because reading the weights takes most of a tick.

Each row of a matrix is rounded in blocks of 32 with one scale each. The activations are rounded in the same way at run
time, so nothing is calibrated. Sums stay exact. Convolutions of many frames have few weights and stay in single
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
"""Numbers that share a scale. With 128 a product takes 10 to 25 % less time, but the decoder's error is 1.5 dB more."""
COMPUTED_IN_8_BITS = 4
"""`accuracy_level` of the runtime's product: the activations are rounded, too."""
DOMAIN = "com.microsoft"
SECONDS = 1.0
"""Length of the compared sound in seconds."""
PARITY_SEED = 7_200_000


def is_encodec_half(tick: TickModule) -> bool:
    """Whether it is the encoder or the decoder of an EnCodec, which is large enough to be rounded."""
    return isinstance(tick, (EncoderTick, DecoderTick)) and isinstance(tick.sounding, Encodec)


def round_weights(tick: TickModule, data: bytes) -> bytes:
    """An exported half of the codec, its large matrices in 8-bit integers.

    Args:
        tick: the half.
        data: its ONNX file in single precision.
    """
    model = onnx.load_from_string(_fold_constants(data))
    graph = model.graph
    codebooks = [book.T for book in _codec_of(tick).quantizer.codebooks.numpy()]
    tensors_by_name = {tensor.name: tensor for tensor in graph.initializer}
    small: dict[bytes, str] = {}
    nodes: list[Any] = []
    for node in graph.node:
        matrix = _matrix(node, tensors_by_name)
        if matrix is None or matrix.shape[0] % BLOCK or any(np.array_equal(matrix, book) for book in codebooks):
            nodes.append(node)
            continue
        # A matrix that is used at each of a tick's frames is stored once.
        name = small.setdefault(matrix.tobytes(), f"{node.input[1]}.rounded")
        if name not in tensors_by_name:
            tensors_by_name |= {tensor.name: tensor for tensor in _int8_tensors(name, matrix)}
        nodes.extend(_product(node, name, matrix.shape))
    input_names = {name for node in nodes for name in node.input}
    tensors = [tensor for name, tensor in tensors_by_name.items() if name in input_names]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(tensors)
    if all(opset.domain != DOMAIN for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    rounded: bytes = model.SerializeToString()
    return rounded


def _fold_constants(data: bytes) -> bytes:
    """Fold constants, so that each matrix is a tensor of the file."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        whole, simplified = Path(folder) / "whole.onnx", Path(folder) / "folded.onnx"
        whole.write_bytes(data)
        quant_pre_process(str(whole), str(simplified), skip_symbolic_shape=True)
        return simplified.read_bytes()


def _matrix(node: Any, tensors_by_name: dict[str, Any]) -> NDArray[np.float32] | None:
    """A product's constant right-hand matrix [K, N]; None if it is not constant."""
    if node.op_type not in ("MatMul", "Gemm") or node.input[1] not in tensors_by_name:
        return None
    matrix = numpy_helper.to_array(tensors_by_name[node.input[1]])
    if matrix.ndim != 2:
        return None
    values = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    plain = values.get("alpha", 1.0) == values.get("beta", 1.0) == 1.0 and not values.get("transA", 0)
    if not plain:
        return None
    return np.ascontiguousarray(matrix.T if values.get("transB", 0) else matrix)


def _int8_tensors(name: str, matrix: NDArray[np.float32]) -> tuple[Any, Any]:
    """A matrix [K, N] in the runtime's format: uint8 [N, K / BLOCK, BLOCK] around 128, and scales [N, K / BLOCK]."""
    blocks = matrix.T.reshape(matrix.shape[1], -1, BLOCK)
    scale = np.maximum(np.abs(blocks).max(-1, keepdims=True) / 127, np.finfo(np.float32).tiny)
    steps = (np.rint(blocks / scale) + 128).astype(np.uint8)
    return numpy_helper.from_array(steps, name), numpy_helper.from_array(scale[..., 0], f"{name}.scale")


def _product(node: Any, name: str, shape: tuple[int, ...]) -> list[Any]:
    """The nodes that replace a product."""
    bias = list(node.input[2:3])
    out = f"{node.output[0]}.product" if bias else node.output[0]
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
    return [product, *([helper.make_node("Add", [out, bias[0]], [node.output[0]])] if bias else [])]


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


def relative_noise(reference: Sequence[NDArray[Any]], output: Sequence[NDArray[Any]]) -> float:
    """The RMS of two streams' difference, relative to the first stream's variation from tick to tick."""
    first, second = (np.stack(stream).astype(np.float64) for stream in (reference, output))
    return float(np.sqrt(((second - first) ** 2).mean() / (first - first.mean(0)).var()))


def codec_parity(tick: TickModule, data: bytes) -> dict[str, float]:
    """Compare a half with torch on notes; the decoder also on random tokens.

    Returns:
        For the decoder `output`: the loudness of its error relative to its sound. For the encoder `codes`: the share of
        tokens that differ; and `output`: the increase of the tokens' distance from the latents, relative to these.
    """
    codec = _codec_of(tick)
    hop, rate = codec.config.hop, codec.config.sample_rate
    count = round(SECONDS * rate / (2 * hop))
    notes = parity_notes(PARITY_SEED, count, 2 * hop)
    torch_runner, onnx_runner = TorchRunner(tick, torch.device("cpu")), OnnxRunner(data)
    if isinstance(tick, DecoderTick):
        with torch.inference_mode():
            note_codes = codec.encode(torch.from_numpy(np.concatenate(notes, -1)))
        random_codes = np.random.default_rng(PARITY_SEED).integers(0, codec.config.cardinality, note_codes.shape)
        codes = np.split(np.concatenate([note_codes.numpy(), random_codes], -1), 2 * count, -1)
        reference, output = (
            [runner.run({"frames": frames}) for frames in codes] for runner in (torch_runner, onnx_runner)
        )
        # Before its latency has passed the decoder's output is the silence of the beginning.
        late = -(-tick.latency_samples // (2 * hop))
        return {"output": relative_noise(reference[late:], output[late:])}
    reference, output = ([runner.run({"pcm": pcm}) for pcm in notes] for runner in (torch_runner, onnx_runner))
    first, second = (torch.from_numpy(np.concatenate(stream, -1)) for stream in (reference, output))
    return {
        "output": _distance_increase(codec, notes, first, second),
        "codes": float((first != second).float().mean()),
    }


@torch.inference_mode()
def _distance_increase(
    codec: TokenCodec, notes: list[NDArray[np.float32]], reference: torch.Tensor, output: torch.Tensor
) -> float:
    state, note_latents = codec.encoder.init_state(1), []
    for pcm in notes:
        latents, state = codec.encoder.step(torch.from_numpy(pcm), state)
        note_latents.append(latents)
    latents = torch.cat(note_latents, -1)
    distances = [
        float((codec.quantizer.decode(codes) - latents).norm() / latents.norm()) for codes in (reference, output)
    ]
    return max(0.0, distances[1] - distances[0])
