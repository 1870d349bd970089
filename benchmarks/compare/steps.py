"""Opens what `bench compare` times, one step at a time; what is not here is refused with the reason."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np

from engines.contract import EngineError
from engines.registry import open_engine
from streaming.conventions import SAMPLE_RATE
from streaming.vision.frame_features import VIEW_SIDE

Step = Callable[[], object]
DIFFUSION = "stabilityai/sd-turbo"
WINDOW_FRAMES = 10


class NotHereError(Exception):
    """Something that is compared is not on this machine; the text is the reason, in a few words."""


@contextlib.contextmanager
def refused(what: str) -> Iterator[None]:
    """Turn whatever a foreign package raises while it opens into a reason."""
    try:
        yield
    except (EngineError, NotHereError) as error:
        raise NotHereError(str(error)) from error
    except Exception as error:
        # A package of somebody else's may fail in any way; the others are still compared.
        text = " ".join(str(error).split())[:120]
        raise NotHereError(f"{what}: {type(error).__name__}: {text}") from error


def need(package: str) -> Any:
    """Import a package.

    Raises:
        NotHereError: when it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise NotHereError(f"{package.partition('.')[0]} is not installed") from error


def frames() -> tuple[np.ndarray, np.ndarray]:
    """Two grey frames of a textured scene that has moved by three pixels: uint8 [256, 256]."""
    random = np.random.default_rng(2)
    large = random.integers(0, 255, (VIEW_SIDE // 4 + 4, VIEW_SIDE // 4 + 4), dtype=np.uint8)
    picture = cv2.resize(large, (VIEW_SIDE + 16, VIEW_SIDE + 16), interpolation=cv2.INTER_CUBIC)
    first = np.ascontiguousarray(picture[8 : 8 + VIEW_SIDE, 8 : 8 + VIEW_SIDE])
    return first, np.ascontiguousarray(picture[5 : 5 + VIEW_SIDE, 8 : 8 + VIEW_SIDE])


def open_own_flow() -> Step:
    """The flow engine that a show of the default bundle has."""
    with refused("flow"):
        engine = open_engine("flow")
        previous, current = frames()
        if engine.spec.config.get("colour"):
            previous, current = (cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR) for frame in (previous, current))
        return lambda: engine.step(previous=previous, current=current)


def open_dis(preset: int) -> Step:
    """OpenCV's Dense Inverse Search with a preset, 0 to 2."""
    cv2.setNumThreads(1)
    dis, (previous, current) = cv2.DISOpticalFlow.create(preset), frames()
    return lambda: dis.calc(previous, current, None)


def open_farneback() -> Step:
    """OpenCV's polynomial expansion."""
    if not hasattr(cv2, "calcOpticalFlowFarneback"):
        raise NotHereError("this OpenCV has no Farnebäck flow")
    cv2.setNumThreads(1)
    previous, current = frames()
    empty: Any = None
    return lambda: cv2.calcOpticalFlowFarneback(previous, current, empty, 0.5, 3, 15, 3, 5, 1.2, 0)


def open_own_decoder() -> Step:
    """The decoder that a show of the default bundle has."""
    with refused("decoder"):
        engine = open_engine("decoder")
        tokens = np.random.default_rng(1).integers(0, 2_048, (4, 2)).astype(np.int16)
        return lambda: engine.step(frames=tokens)


def open_encodec_window() -> Step:
    """Transformers' EncodecModel in the size of facebook/encodec_32khz; weights do not change its time."""
    transformers, torch = need("transformers"), need("torch")
    with refused("EncodecModel"):
        torch.set_num_threads(1)
        config = transformers.EncodecConfig(
            sampling_rate=SAMPLE_RATE,
            audio_channels=1,
            target_bandwidths=[2.2],
            codebook_size=2_048,
            codebook_dim=128,
            num_filters=64,
            upsampling_ratios=[8, 5, 4, 4],
            use_causal_conv=False,
            norm_type="weight_norm",
            use_conv_shortcut=False,
        )
        model = transformers.EncodecModel(config).eval()
        codes = torch.randint(0, 2_048, (1, 1, 4, WINDOW_FRAMES))

        def step() -> object:
            with torch.no_grad():
                return model.decode(codes, [None])

        step()
        return step


def open_mimi() -> Step:
    """Kyutai's Mimi by the package moshi, with weights by chance, which do not change its time."""
    loaders, torch = need("moshi.models.loaders"), need("torch")
    with refused("Mimi"):
        torch.set_num_threads(1)
        mimi = loaders.get_mimi(None, device="cpu")
        mimi.set_num_codebooks(8)
        codes = torch.randint(0, 2_048, (1, 8, 1))
        mimi.streaming_forever(1)

        def step() -> object:
            with torch.no_grad():
                return mimi.decode(codes)

        return step


def open_one_step_diffusion() -> Step:
    """A published one-step image-to-image pipeline, from the user's cache only."""
    diffusers, torch = need("diffusers"), need("torch")
    try:
        pipeline = diffusers.AutoPipelineForImage2Image.from_pretrained(DIFFUSION, local_files_only=True)
    except Exception as error:
        # Hugging Face's packages raise many kinds where files are missing.
        raise NotHereError(f"the weights of {DIFFUSION} are not in Hugging Face's cache") from error
    with refused(DIFFUSION):
        pipeline = pipeline.to("cuda" if torch.cuda.is_available() else "cpu")
        image = torch.zeros(1, 3, 512, 512)
        options = {"num_inference_steps": 2, "strength": 0.5, "guidance_scale": 0.0, "output_type": "np"}
        return lambda: pipeline("", image=image, **options)
