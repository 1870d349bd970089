"""The command line: what it makes of good words, and one line for each bad one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from engines import machine
from streaming.errors import SettingError, UserError
from streaming.settings.config import Show
from streaming.settings.controls import CONTROLS
from streaming.settings.options import parse
from streaming.settings.validation import with_control


def line_for(*argv: str) -> str:
    with pytest.raises(UserError) as caught:
        parse([*argv, *(() if argv[0] in ("set", "keys") else ("--record", "none"))])
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_nothing_said_is_a_performance_of_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = parse([])
    assert (command.name, command.show.direction, command.show.camera) == ("play", "both", "auto")
    assert command.show.record == "recordings"
    assert command.notes == ()
    assert parse(["--direction", "video-to-music"]).notes == ()


def test_any_bundle_makes_pictures(tmp_path: Path) -> None:
    bundle = tmp_path / "small"
    bundle.mkdir()
    (bundle / "manifest.json").write_text('{"schema": 1, "networks": {}}')
    command = parse(["--bundle", str(bundle), "--backend", "torch", "--record", "none"])
    assert (command.show.direction, command.notes) == ("both", ())


def test_every_option_arrives(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"x")
    words = (
        "play --direction video-to-music --speaker none --microphone self --screen none --backend torch --eyes bundle "
        "--anticipation 80 --duration 60 --seed 7 --temperature 0.5 --quiet --awake"
    )
    report = str(tmp_path / "r.json")
    paths = ["--camera", str(clip), "--report", report, "--run-dir", str(tmp_path), "--prior", str(clip)]
    command = parse([*words.split(), *paths, "--record", str(tmp_path / "films")])
    show = command.show
    assert (show.camera, show.duration_s, show.seed, show.number("temperature")) == (str(clip), 60.0, 7, 0.5)
    assert (show.number("anticipation"), show.quiet, command.awake) == (80.0, True, True)
    assert (show.eyes, Show().eyes) == ("bundle", "auto")
    assert show.links.run_dir == str(tmp_path)
    assert (tmp_path / "films").is_dir()


@pytest.mark.parametrize(
    "camera", ["auto", "0", "rtsp://10.0.0.2/x", "performer", "performer:drums", "performer:air@12", "performer@3"]
)
def test_cameras_that_are_known(camera: str) -> None:
    assert parse(["--camera", camera, "--record", "none"]).show.camera == camera


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--direction", "music-to-video", "--microphone", "self"], "no music is made"),
        (["--direction", "music-to-video", "--microphone", "none"], "music-to-video needs music to hear"),
        (["--microphone", "./none.wav"], "there is no such file"),
        (["--screen", "window:x"], "has the wrong form"),
        (["--screen", "television"], "is not known"),
        (["--direction", "sideways"], "use one of both, video-to-music"),
        (["--camera", "none.mp4"], "there is no such file"),
        (["--camera", "/tmp"], "is a folder"),
        (["--camera", "performer:juggler"], "has the wrong form"),
        (["--camera", "performer@x"], "has the wrong form"),
        (["--camera", "performer@99999999999"], "has the wrong form"),
        (["--camera", "performer:keys@\u00b2"], "has the wrong form"),
        (["--camera", "\u00b2"], "no such file"),
        (["--camera", ""], '--camera "": is empty; give auto | N | URL'),
        (["--duration", "0"], "--duration 0: must be seconds, more than 0"),
        (["--bundle", ""], '--bundle "": is empty; give a value, or leave it out'),
        (["--anchoring", "0"], "things would not come back"),
        (["--guidance", "9"], "must be 0.5 to 4; give another value"),
        (["--duration", "nan"], "more than 0"),
        (["--duration", "inf"], "more than 0"),
        (["--duration", "soon"], "is not a number"),
        (["--anticipation", "300"], "must be auto or -40 to 120 ms"),
        (["--anticipation", "soon"], "is not a number; give auto or -40 to 120 ms"),
        (["--temperature", "9"], "must be 0 to 2"),
        (["--eyes", "none"], "is not known; use one of auto, mediapipe, bundle"),
        (["--eyes", "media"], "did you mean mediapipe?"),
        (["--seed", "-1"], "must be 0"),
        (["--seed", "1.5"], "is not a whole number"),
        (["--seed", "7" * 400], "must be 0 to 2^63 - 1"),
        (["--seed", "7" * 9000], "is not a whole number"),
        (["--guidance", "0"], "there is only silence"),
        (["--speaker", "file:out.mp3"], "write file:PATH.wav"),
        (["--speaker", "file:/none/out.wav"], "does not exist"),
        (["--screen", "file:out.avi"], "write file:PATH.mp4"),
        (["--prior", "none.png"], "there is no such file"),
        (["--report", "/none/r.json"], "does not exist"),
        (["--bundle", "/none/bundle"], "no such folder"),
        (["--address", "motion"], "STAGE=tcp://"),
        (["--address", "motion=tcp://10.0.0.1:5000"], "need keys"),
        (["--keys", "/none"], "there is no such folder; make keys"),
        (["--config", "/none.toml"], "there is no such file"),
        (["--tempreature", "2"], "did you mean --temperature?"),
        (["--what"], "there is no such option; see python run_live.py --help"),
        (["--temper", "1"], "--temper: there is no such option; did you mean --temperature?"),
        (["--seconds", "5"], "--seconds: is no option of play; see python run_live.py --help"),
        (["set", "motion", "2", "--quiet"], "--quiet: is no option of set; see python run_live.py set --help"),
        (["config", "--seed", "4"], "--seed: is no option of config"),
        (["set", "--rundir", "x"], "did you mean --run-dir?"),
        (["--quiet", "doctor"], "doctor: a command is the first word; write python run_live.py doctor, then"),
        (["play", "play"], "play: a command is the first word"),
        (["--seed"], "needs a value"),
        (["--duration", "1e300"], "must be seconds, more than 0, and at most 100,000,000; for example 60"),
        (["--duration", "inf"], "must be seconds, more than 0"),
        (["--prior", ""], '--prior "": is empty; give an image file, or leave it out'),
        (["--report", ""], '--report "": is empty; give a value, or leave it out'),
        (["--run-dir", ""], '--run-dir "": is empty'),
        (["--quiet=yes"], "takes no value"),
        (["perfrom"], "there is no such command; use one of play"),
        (["docter"], "did you mean doctor?"),
        (["--prior", "\udcff.png"], "\\udcff.png: is not text in UTF-8"),
        (["set", "moton", "2"], "set moton: there is no such control; did you mean motion?"),
        (["set", "motion"], "set motion: has no value; give 0 to 4, for example 1"),
        (["stage", "juggler"], "there is no such stage; use one of camera"),
        (["stage"], "NAME is missing"),
        (["bench", "latnecy"], "did you mean latency?"),
        (["bench", "engines", "--out", "n" * 300], "--out nnn"),
        (["bench", "soak", "--minutes", "-1"], "more than 0"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(argv: list[str], says: str) -> None:
    assert says in line_for(*argv)


def test_what_may_not_change_while_a_show_runs_is_said() -> None:
    with pytest.raises(UserError, match="set camera 2: cannot be changed while a show runs; end the show"):
        with_control(Show(), "camera", "2")
    with pytest.raises(UserError, match='set voice "": is no voice of the bundle'):
        with_control(Show(), "voice", "")
    with pytest.raises(UserError, match=r"set guidance 0: must be 0\.5 to 4; below 0\.5"):
        with_control(Show(), "guidance", "0")


def test_a_control_that_is_not_live_is_an_option_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONTROLS, "motion", dataclasses.replace(CONTROLS["motion"], live=False))
    with pytest.raises(UserError, match="set motion 2: cannot be changed while a show runs"):
        with_control(Show(), "motion", "2")
    assert parse(["--motion", "2", "--record", "none"]).show.number("motion") == 2.0


def test_pictures_that_stand_still_are_said() -> None:
    notes = parse(["--microphone", "none", "--record", "none"]).notes
    assert any("the pictures stand still" in note for note in notes)


def test_an_empty_film_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").touch()
    assert "is empty" in line_for("--camera", str(tmp_path / "clip.mp4"))


def test_a_folder_that_cannot_be_recorded_into_is_refused() -> None:
    with pytest.raises(UserError, match="cannot be written into"):
        parse(["--record", "/proc/films"])


def test_flags_win_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "show.toml"
    file.write_text('direction = "video-to-music"\nduration = 30\ntemperature = 0.3\nrun-dir = "/tmp/x"\ncamera = 1\n')
    command = parse(["--config", str(file), "--temperature", "1.0", "--record", "none"])
    assert (command.show.duration_s, command.show.number("temperature"), command.show.camera) == (30.0, 1.0, "1")
    assert command.show.links.run_dir == "/tmp/x"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tempreture = 3\n", "show.toml: tempreture: there is no such setting; did you mean temperature?"),
        ("kazoo = 3\n", "show.toml: kazoo: there is no such setting; use one of direction, bundle"),
        ("config = 'more.toml'\n", "there is no such setting"),
        ("duration = \n", "show.toml: is not TOML"),
        ('duration = "long"\n', 'show.toml: duration = "long": is not a number'),
        ('eyes = "none"\n', 'show.toml: eyes = "none": is not known; use one of auto, mediapipe, bundle'),
        ("direction = 3\n", "show.toml: direction = 3: must be text, written in quotes"),
        ("prior = 5\n", "show.toml: prior = 5: must be the path of an image, written in quotes"),
        ("voice = true\n", "show.toml: voice = true: must be a voice's name"),
        ("temperature = [1]\n", "show.toml: temperature = [1]: must be a number"),
        ("temperature = true\n", "must be a number"),
        ("temperature = 9\n", "show.toml: temperature = 9: must be 0 to 2"),
        ("temperature = nan\n", "is not a number"),
        ("guidance = 0\n", "show.toml: guidance = 0: must be 0.5 to 4"),
        ("seed = 1.0\n", "is not a whole number"),
        ("seed = " + "7" * 400 + "\n", "(a number of about 400 digits): must be 0 to 2^63 - 1"),
        ("seed = " + "7" * 9000 + "\n", "is not TOML (Exceeds the limit (4300 digits) for integer string conversion"),
        ("seed = 0x" + "f" * 9000 + "\n", "must be 0 to 2^63 - 1"),
        ("temperature = " + "7" * 400 + "\n", "must be 0 to 2"),
        ("x = " + "[" * 20000, "is nested too deeply"),
        ("x" + ".x" * 3000 + " = 1", "show.toml: x: there is no such setting"),
        ("temperature" + ".x" * 3000 + " = 1", "show.toml: temperature = (a nested value): must be a number"),
        ('prior = "a\\u0000b.png"\n', 'show.toml: prior = "a\\x00b.png": has a NUL character in its name'),
        ("camera = '" + "n" * 300 + "'\n", "has a name of 300 bytes"),
        ('microphone = "none"\ndirection = "music-to-video"\n', 'show.toml: microphone = "none": music-to-video needs'),
        ("quiet = 1\n", "show.toml: quiet = 1: must be true or false"),
        ('address = "motion=tcp://10.0.0.2:5000"\n', "must be a list"),
        ("[links]\nkeey = 'x'\n", "show.toml: links: keey: there is no such setting; did you mean keys?"),
        ("[show]\ncamera = 0\n", "show.toml: show: there is no such setting"),
        ('awake = "yes"\n', "true or false"),
        ("links = 3\n", "is a table"),
        ("[links]\naddresses = 3\n", "show.toml: links: addresses: is a table of stages and addresses"),
        ("[links]\naddresses = {motion = 3}\n", "is not STAGE=tcp://HOST:PORT"),
        ("[links]\nkeys = 3\n", "show.toml: keys = 3: must be text"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "show.toml"
    file.write_text(text)
    assert says in line_for("--config", str(file))


def test_the_other_commands() -> None:
    assert parse(["stage", "camera", "--camera", "performer"]).target == "camera"
    assert parse(["keys", "somewhere"]).target == "somewhere"
    bench = parse(["bench", "soak", "--minutes", "2", "--history"])
    assert (bench.target, bench.seconds, bench.history, bench.show.record) == ("soak", 120.0, True, "")
    assert parse(["bench", "engines", "--compiled"]).compiled
    engines = parse(["bench", "engines", "--out", "here", "--seconds", "3"])
    assert not engines.compiled
    assert (engines.target, engines.seconds, engines.out) == ("engines", 3.0, "here")
    assert bench.show.direction == "both"
    assert parse(["bench", "throughput"]).show.direction == "video-to-music"
    assert parse(["doctor"]).name == "doctor"
    with pytest.raises(SystemExit) as caught:
        parse(["--help"])
    assert caught.value.code == 0


def test_a_live_control_is_set_by_its_name_and_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = parse(["set", "imagination", "0.5", "--run-dir", "there"])
    assert (told.name, told.target, told.value, told.show.links.run_dir) == ("set", "imagination", "0.5", "there")
    assert parse(["set", "prior", "a.png"]).value == str(tmp_path / "a.png")
    assert (parse(["set"]).target, parse(["set"]).value) == ("", "")


def test_a_live_control_is_checked_as_its_option_is(tmp_path: Path) -> None:
    still = tmp_path / "a.png"
    still.write_bytes(b"x")
    words = {"voice": "keys", "image": str(still), "word": "motion", "bundle": "default"}
    values = {row.name: words.get(row.kind, f"{row.high:g}") for row in CONTROLS.values()}
    show = Show()
    for name, value in values.items():
        show = with_control(show, name, value)
        found = show.controls[name]
        assert found == (value if isinstance(found, str) else float(value))
    for name, value in [("motion", "fast"), ("motion", "nan"), ("imagination", "1.1"), ("temperature", "-1")]:
        with pytest.raises(UserError, match=f"set {name}"):
            with_control(show, name, value)
    for name, value in [("voice", "kazoo"), ("anticipation", "soon"), ("camera", "1")]:
        with pytest.raises(UserError):
            with_control(show, name, value)


def test_takes_by_hand_and_how_many_are_kept() -> None:
    assert parse(["--record", "x"]).show.controls["record"] == 1.0
    later = parse(["--record", "x", "--record-later", "--keep-takes", "50GB"]).show
    assert (later.record, later.controls["record"], later.keep_takes) == ("x", 0.0, "50GB")
    assert with_control(later, "record", "1").controls["record"] == 1.0
    none = parse(["--record", "none"]).show
    assert none.controls["record"] == 0.0
    assert with_control(none, "record", "0").controls["record"] == 0.0
    with pytest.raises(UserError, match="set record 1: this show has no folder for takes; start it with --record DIR"):
        with_control(none, "record", "1")
    for wrong in ("0", "many", "1.5", "-3", "0GB", "5TB", "1e9"):
        with pytest.raises(UserError, match="--keep-takes"):
            parse(["--keep-takes", wrong])
    assert parse(["set", "record", "0"]).value == "0"


def test_a_runtime_that_is_not_here_is_said_and_another_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "is_installed", lambda package: package != "tensorrt")
    command = parse(["--backend", "tensorrt", "--record", "none"])
    assert command.show.backend == "tensorrt"
    (line,) = [line for line in command.notes if "tensorrt" in line]
    assert "is not installed here (pip install torch-tensorrt); what is fastest of the others is taken" in line


def test_what_is_asked_of_a_benchmark_is_checked_before_anything_starts() -> None:
    asked = parse(["bench", "latency", "--quick", "--camera-rate", "30", "--period", "128"])
    assert (asked.bench.trial_count(), asked.bench.camera_hz, asked.bench.period) == (40, 30.0, 128)
    assert asked.show.direction == "both", "both ways are measured unless one is asked for"
    assert parse(["bench", "latency", "--trials", "7", "--quick"]).bench.trial_count() == 7
    assert parse(["bench", "latency"]).bench.trial_count() == 500
    assert parse(["bench", "latency", "--camera-rate", "locked"]).bench.camera_hz == 0.0
    assert parse(["bench", "soak", "--hours", "2"]).seconds == 7200.0
    for words in (["--trials", "0"], ["--trials", "1.5"], ["--camera-rate", "fast"], ["--period", "nan"]):
        with pytest.raises(UserError, match=words[0]):
            parse(["bench", "latency", *words])


@pytest.mark.parametrize(("text", "kept"), [("3,4", "3,4"), ("2", "2"), ("64, 1", "64,1")])
def test_output_channels_are_one_or_two_numbers(text: str, kept: str) -> None:
    assert parse(["--channels", text]).show.channels == kept


@pytest.mark.parametrize("text", ["0", "1,1", "1,2,3", "65", "left", "3,", "-1"])
def test_channels_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="one or two numbers from 1 to 64"):
        parse([f"--channels={text}"])


def test_an_installation_makes_no_film_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert parse([]).show.record == "recordings"
    alone = parse(["--installation"]).show
    assert (alone.installation, alone.record, alone.attract_s) == (True, "", 60.0)
    assert parse(["--installation", "--record", str(tmp_path)]).show.record == str(tmp_path)
    file = tmp_path / "show.toml"
    file.write_text('installation = true\nattract = 20\nschedule = "10:00-18:00"\n', encoding="utf-8")
    show = parse(["--config", str(file)]).show
    assert (show.installation, show.record, show.attract_s, show.schedule) == (True, "", 20.0, "10:00-18:00")


def test_hours_that_no_clock_shows_and_a_log_without_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="--schedule 10-18: is not HH:MM-HH:MM"):
        parse(["--schedule", "10-18"])
    with pytest.raises(UserError, match="folder"):
        parse(["--log", str(tmp_path / "no" / "show.jsonl")])
