"""The diffusion painter paints what diffusers' own pipeline paints, keeps the prior's colours, and is checked whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel

from engines import machine, registry
from engines.contract import EngineError
from engines.registry import has_network, open_engine
from engines.runtimes.diffusers_runtime import MAX_SCHEDULE_SHARE, DiffusionPainter, match_colours
from tests.diffusions import UNET, pipeline, published
from training.adopt.diffusion import DiffusionSettings, adopt_picture
from training.bundling import copy_missing_networks

SIDE = 64
SAID = "a cat"


def adopted(folder: Path, prediction: str = "epsilon") -> tuple[Path, Path, Path]:
    """A bundle, and the published folders that it was made from."""
    network, autoencoder = published(folder, prediction=prediction)
    bundle = folder / "bundle"
    adopt_picture(str(network), DiffusionSettings(SAID, str(autoencoder), SIDE), bundle, offline=True, accepted=True)
    return bundle, network, autoencoder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    return adopted(tmp_path_factory.mktemp("diffusion"))


def told(imagination: float, seed: int = 0) -> dict[str, Any]:
    chance = np.random.default_rng(seed)
    warped, prior = (chance.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(2))
    noise = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(5))[0].numpy()
    return {"warped": warped, "prior": prior, "imagination": imagination, "noise": noise}


def theirs(network: Path, autoencoder: Path, warped: np.ndarray, steps: int) -> np.ndarray:
    """One step from `1 / steps` of the schedule by diffusers, BGR 0 to 255."""
    pipe = pipeline(network, autoencoder)
    pipe.set_progress_bar_config(disable=True)
    painted = pipe(
        SAID,
        image=torch.from_numpy(warped[..., ::-1].copy()).permute(2, 0, 1)[None].float() / 255.0,
        num_inference_steps=steps,
        strength=1.0 / steps,
        guidance_scale=0.0,
        generator=torch.Generator().manual_seed(5),
        output_type="pt",
    ).images[0]
    found: np.ndarray = 255.0 * painted.permute(1, 2, 0).numpy()[..., ::-1]
    return found


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_one_step_is_diffusers_own(prediction: str, tmp_path: Path) -> None:
    bundle, network, autoencoder = adopted(tmp_path, prediction)
    engine = DiffusionPainter(bundle / "diffusion", {"side": SIDE, "colours": 0.0}, torch.device("cpu"))
    for steps in (2, 4):
        given = told(imagination=1.0 / steps / MAX_SCHEDULE_SHARE)
        want = theirs(network, autoencoder, given["warped"], steps)
        found = given["warped"] + engine.step(**given)["change"]
        assert np.abs(found - want).max() < 1e-3, "of 255; measured 3e-5"
        assert want.std() > 1.0


def test_imagination_is_how_far_it_goes_back(made: tuple[Path, Path, Path]) -> None:
    engine = open_engine("painter", bundle=str(made[0]))
    assert isinstance(engine, DiffusionPainter)
    assert [engine.level(part) for part in (0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0, 9.0)] == [0, 249, 499, 749, 749]
    latent, noise = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8)
    little = float((engine.imagine(latent, noise, 0) - latent).abs().mean())
    much = float((engine.imagine(latent, noise, 749) - latent).abs().mean())
    assert little < 0.1 < much


def test_it_is_a_painter_by_the_contract(made: tuple[Path, Path, Path]) -> None:
    assert has_network("painter", str(made[0]))
    engine = open_engine("painter", bundle=str(made[0]), backend="torch")
    assert (engine.spec.network, engine.spec.runtime) == ("painter", "diffusers")
    assert engine.spec.config["side"] == SIDE
    assert tuple(engine.spec.config["noise"]) == (4, 8, 8)
    rest: dict[str, Any] = {
        "where": np.zeros((2, 16, 16)),
        "flow": np.zeros((2, 16, 16)),
        "heard": np.zeros(128),
        "chance": 1.0,
    }
    change = engine.step(**told(0.5), **rest, seen=np.zeros(128))["change"]
    assert (change.shape, str(change.dtype)) == ((SIDE, SIDE, 3), "float32")
    assert np.isfinite(change).all()
    again = engine.step(**told(0.5), **rest, seen=np.zeros(128))["change"]
    np.testing.assert_array_equal(change, again)


def test_the_priors_colours_are_kept(made: tuple[Path, Path, Path]) -> None:
    folder = made[0] / "diffusion"
    free, kept = (DiffusionPainter(folder, {"side": SIDE, "colours": c}, torch.device("cpu")) for c in (0.0, 1.0))
    first, second = told(0.8), told(0.8) | {"prior": np.full((SIDE, SIDE, 3), (10, 200, 90), np.uint8)}
    np.testing.assert_array_equal(free.step(**first)["change"], free.step(**second)["change"])
    assert np.abs(kept.step(**first)["change"] - kept.step(**second)["change"]).max() > 0.0
    latent, like = torch.randn(1, 4, 8, 8), 3.0 * torch.randn(1, 4, 8, 8) + 1.0
    found = match_colours(latent, like)
    torch.testing.assert_close(found.mean((2, 3)), like.mean((2, 3)))
    torch.testing.assert_close(found.std((2, 3)), like.std((2, 3)))


def test_every_file_is_checked_and_nothing_else_is_read(tmp_path: Path) -> None:
    bundle, network, _ = adopted(tmp_path)
    assert copy_missing_networks(bundle, tmp_path / "other") == ["diffusion"]
    for path in network.rglob("*.*"):
        path.unlink()
    open_engine("painter", bundle=str(tmp_path / "other"))
    path = bundle / "diffusion" / "unet" / "config.json"
    text = path.read_text()
    path.write_text(text.replace("16", "32"))
    with pytest.raises(EngineError, match=r"config\.json: the hash does not match"):
        open_engine("painter", bundle=str(bundle))
    path.write_text(text)
    manifest = json.loads((bundle / "manifest.json").read_text())
    for name, words in (("../outside.json", "no file that a bundle may have"), ("diffusion/x.bin", "may have")):
        manifest["networks"]["diffusion"]["files"][0]["file"] = name
        (bundle / "manifest.json").write_text(json.dumps(manifest))
        with pytest.raises(EngineError, match=words):
            open_engine("painter", bundle=str(bundle))


def test_on_a_gpu_it_goes_before_the_bundles_other_painter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    networks = {"diffusion": {"files": []}, "painter": {"file": "painter.safetensors"}}
    (tmp_path / "manifest.json").write_text(json.dumps({"schema": 1, "networks": networks}))
    for gpu in (True, False):
        monkeypatch.setattr(machine, "has_gpu", lambda gpu=gpu: gpu)
        assert registry.uses_ready_made("painter", str(tmp_path)) == gpu
    (tmp_path / "manifest.json").write_text(json.dumps({"schema": 1, "networks": {"diffusion": {"files": []}}}))
    assert registry.uses_ready_made("painter", str(tmp_path))
    assert not registry.uses_ready_made("painter", "default")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@torch.inference_mode()
def test_the_full_size_on_a_gpu(made: tuple[Path, Path, Path]) -> None:
    """SD-Turbo's own sizes, 866 million parameters, at random: it takes 512 pixels in half precision."""
    painter = DiffusionPainter(made[0] / "diffusion", {"side": 512}, torch.device("cuda"))
    with torch.device("cuda"):
        painter.unet = UNet2DConditionModel(**UNET).half().eval()
        painter.words = torch.zeros(1, 77, 1024, dtype=torch.float16)
    assert sum(value.numel() for value in painter.unet.parameters()) == 865_910_724
    pictures = {name: np.full((512, 512, 3), 90, np.uint8) for name in ("warped", "prior")}
    noise = np.random.default_rng(0).standard_normal((4, 64, 64)).astype(np.float32)
    change = painter.step(**pictures, imagination=0.5, noise=noise)["change"]
    assert change.shape == (512, 512, 3)
    assert np.isfinite(change).all()
