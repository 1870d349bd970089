"""Where the eyes lie, what is said where they do not, and that each network is pinned."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engines.contract import EngineError
from engines.eyes.catalogue import (
    EFFICIENTNET,
    MEDIAPIPE,
    WHEELS,
    MissingEyesError,
    cache_folder,
    find_network,
    missing_networks,
)
from engines.eyes.network import EyeEngine, open_eye


def test_the_cache_is_the_users_unless_another_folder_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ANTIPHON_EYES", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "antiphon" / "eyes" / "mediapipe-0.10.21"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "antiphon" / "eyes" / "mediapipe-0.10.21"
    monkeypatch.setenv("ANTIPHON_EYES", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


def test_every_network_is_pinned_and_named_once() -> None:
    networks = [network for wheel in WHEELS for network in wheel.networks]
    assert len({network.name for network in networks}) == len(networks)
    assert len({wheel.distribution for wheel in WHEELS}) == len(WHEELS), "each has a licence file of its own"
    for digest in (*(wheel.sha256 for wheel in WHEELS), *(network.sha256 for network in networks)):
        assert re.fullmatch(r"[0-9a-f]{64}", digest)


def test_an_empty_cache_lacks_all_and_says_how_to_fill_it(tmp_path: Path) -> None:
    assert set(missing_networks(tmp_path)) == {network.name for network in MEDIAPIPE.networks}
    assert set(missing_networks(tmp_path, EFFICIENTNET)) == {"instrument"}
    with pytest.raises(MissingEyesError, match=r"hand_landmarks is not here; run: python -m export\.eyes"):
        open_eye("hand_landmarks", tmp_path)


def test_the_eye_for_instruments_takes_levels_as_it_was_trained() -> None:
    low = find_network("instrument").low
    scale = (1.0 - low) / 255.0
    for level in (0, 127, 255):
        assert low + level * scale == pytest.approx((level - 127) / 128)


def test_a_name_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(EngineError, match="unknown network 'nose'"):
        find_network("nose")


def test_a_file_that_is_no_network_is_refused_by_name() -> None:
    with pytest.raises(EngineError, match="ONNX Runtime does not accept body_detector"):
        EyeEngine(find_network("body_detector"), b"nothing")
