"""The TOML file of `--config`: odd encodings, files that are none, the example, and every path that it can name."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import run_live
from streaming.errors import UserError
from streaming.settings.options import parse
from streaming.settings.toml_file import MAX_BYTES, example, known_keys, read_config
from tests.unit.streaming.remote.console.test_web_server import CERTIFICATE, KEY

PATHS = {
    "camera": "{}",
    "microphone": "file:{}",
    "prior": "{}",
    "speaker": "file:{}.wav",
    "screen": "file:{}.mp4",
    "record": "{}",
    "report": "{}",
    "bundle": "./{}",
    "keys": "{}",
    "run-dir": "{}",
}
"""Setting -> how a path is written after it."""


def line_of(file: Path) -> str:
    with pytest.raises(UserError) as caught:
        parse(["--config", str(file), *(() if "record" in file.read_text("latin-1") else ("--record", "none"))])
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "bom.toml"
    file.write_bytes(b"\xef\xbb\xbfseed = 3\n")
    assert read_config(str(file)) == {"seed": 3}
    assert parse(["--config", str(file), "--record", "none"]).show.seed == 3


def test_what_is_no_text_is_said(tmp_path: Path) -> None:
    file = tmp_path / "show.toml"
    file.write_bytes("seed = 3\n".encode("utf-16"))
    assert line_of(file) == f"{file}: is not text in UTF-8; save it as UTF-8"
    file.write_bytes(b"#" * (MAX_BYTES + 1))
    assert "is larger than 64 kB" in line_of(file)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_or_a_device_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)
    for file in (str(pipe), "/dev/zero"):
        with pytest.raises(UserError, match="is not a regular file"):
            read_config(file)


def test_the_example_has_every_setting_and_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "show.toml"
    file.write_text(example(), encoding="utf-8")
    assert read_config(str(file)) == {}, "all of it is commented out"
    text = re.sub(r"^#(?=[a-z-]+ = )", "", example(), flags=re.MULTILINE)
    file.write_text(text, encoding="utf-8")
    values = read_config(str(file))
    assert list(values) == known_keys()
    monkeypatch.chdir(tmp_path)
    (tmp_path / values["prior"]).write_bytes(b"x")
    (tmp_path / values["console-cert"]).write_text(CERTIFICATE)
    (tmp_path / values["console-key"]).write_text(KEY)
    (tmp_path / values["keys"]).mkdir()
    (tmp_path / values["keys"] / "antiphon.key_secret").touch()
    command = parse(["--config", str(file)])
    assert (command.awake, command.show.links.allow_remote) == (True, True)
    assert command.show.links.addresses == {"motion": "tcp://10.0.0.2:5001"}
    assert max(map(len, text.splitlines())) <= 120


def test_config_prints_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_live.main(["config"]) == 0
    assert capsys.readouterr().out == example()


def test_an_underscore_is_a_hyphen_and_a_table_of_links_is_known(tmp_path: Path) -> None:
    file = tmp_path / "show.toml"
    file.write_text("run_dir = 'a'\n[links]\nallow_remote = true\naddresses = {motion = 'tcp://10.0.0.2:5001'}\n")
    assert read_config(str(file)) == {
        "run-dir": "a",
        "allow-remote": True,
        "address": ["motion=tcp://10.0.0.2:5001"],
    }


@pytest.mark.parametrize("setting", PATHS)
@pytest.mark.parametrize("name", ["a\\u0000b", "n" * 300, "m/" * 2500], ids=["nul", "long name", "long path"])
def test_no_path_is_a_traceback(tmp_path: Path, setting: str, name: str) -> None:
    file = tmp_path / "show.toml"
    file.write_text(f'{setting} = "{PATHS[setting].format(name)}"\n')
    assert line_of(file).startswith(f"{file}: {setting} = ")


@pytest.mark.parametrize("setting", ["camera", "microphone", "prior", "bundle", "keys", "report", "speaker", "screen"])
def test_a_folder_that_leads_nowhere_is_no_traceback(
    tmp_path: Path, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "plain").write_bytes(b"x")
    file = tmp_path / "show.toml"
    for path in ("loop/x", "plain/x"):
        file.write_text(f'{setting} = "{PATHS[setting].format(path)}"\n')
        assert line_of(file).startswith(f"{file}: {setting} = ")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is closed to this user")
def test_a_folder_that_may_not_be_entered_is_said(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "a.png").write_bytes(b"x")
    file = tmp_path / "show.toml"
    file.write_text(f'prior = "{closed}/a.png"\n')
    closed.chmod(0)
    try:
        assert "may not be read (permission denied)" in line_of(file)
    finally:
        closed.chmod(0o700)
