"""The diagnosis of a machine: what it has, what `auto` would use, what is missing and how to get it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from engines.contract import EngineError
from engines.eyes.catalogue import EFFICIENTNET, MEDIAPIPE, PublishedWheel, cache_folder, missing_networks
from engines.eyes.catalogue import FIX as EYES_FIX
from engines.registry import has_network
from streaming.commands.optional_parts import Look, describe_parts, look_for
from streaming.devices.cameras.live_capture import webcam
from streaming.devices.cameras.select import webcams
from streaming.devices.screens.window import has_display
from streaming.devices.sound.portaudio import list_devices, load_sounddevice
from streaming.devices.stills.prior import load_prior
from streaming.errors import UserError
from streaming.runtime.children.child_process import CHECKOUT, ENVIRONMENT
from streaming.settings.config import Show
from streaming.stage import Context
from streaming.system.host_info import describe_host
from streaming.telemetry.metrics import Metrics
from streaming.vision.eyes.eyes import BODY_NETWORKS, HAND_NETWORKS

PROBE_S = 5.0
"""How long a camera may take to open."""
ENGINE_S = 120.0
"""How long all networks together may take to open."""
RUNTIMES = ("torch", "onnxruntime", "onnxruntime-gpu", "tensorrt", "torch-tensorrt")
SOUND_SERVERS = {"jackd": "JACK", "jackdbus": "JACK", "pipewire": "PipeWire", "pulseaudio": "PulseAudio"}
BUNDLES = CHECKOUT / "models" / "bundles"
# Run in a process of its own: this package imports no ML framework, and a broken one may crash.
TRY_ENGINES = """
import json, sys
from engines.bundles import find_bundle, learned_networks
from engines.contract import EngineError
from engines.networks import required_networks
from engines.registry import open_engine
bundle, backend = sys.argv[1:3]
try:
    networks = dict.fromkeys([*required_networks(), *learned_networks(find_bundle(bundle))])
except (EngineError, OSError) as error:
    networks = {}
    print(json.dumps(["bundle", "", " ".join(str(error).split())]))
for network in networks:
    try:
        notes = []
        spec = open_engine(network, bundle=bundle, backend=backend, tell=notes.append).spec
        place = f"{spec.runtime} on {spec.device}, {spec.precision} ({spec.why})"
        print(json.dumps([network, "; ".join([place, *notes]), ""]))
    except (EngineError, ImportError, OSError) as error:
        print(json.dumps([network, "", " ".join(str(error).split())]))
"""


@dataclass
class Finding:
    """One line of the diagnosis.

    Attributes:
        topic: what it is about: a device, a network, a folder.
        text: what is there, or what would be used.
        warning: what makes a performance worse but does not prevent it, "" for nothing.
        fix: what the user must do before a performance can begin, "" for nothing.
    """

    topic: str
    text: str
    warning: str = ""
    fix: str = ""


@dataclass
class Diagnosis:
    """All findings."""

    findings: list[Finding] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The lines to print: one for each finding, its warning below it, all fixes last."""
        width = max((len(finding.topic) for finding in self.findings), default=0) + 2
        lines = []
        for finding in self.findings:
            lines.append(f"{finding.topic:<{width}}{finding.text}")
            if finding.warning:
                lines.append(" " * width + f"! {finding.warning}")
        fixes = list(dict.fromkeys(finding.fix for finding in self.findings if finding.fix))
        lines.append("")
        lines.extend(f"to fix: {fix}" for fix in fixes)
        if not fixes:
            lines.append("ready: python run_live.py")
        return lines

    def exit_code(self) -> int:
        """0 when a performance can begin, else 1."""
        return 1 if any(finding.fix for finding in self.findings) else 0


def doctor(show: Show, write: Callable[[str], object]) -> int:
    """Examine this machine and write what was found.

    Args:
        show: the settings that it is examined for.
        write: takes the text, without a last line end.

    Returns:
        0 when a performance with these settings can begin, else 1.
    """
    examinations: Sequence[Callable[[], list[Finding]]] = (
        machine,
        cameras,
        lambda: sound(show, load_sounddevice, lambda: list_devices(load_sounddevice(), "output")),
        lambda: pictures(show, lambda: list_devices(load_sounddevice(), "input")),
        lambda: runtimes(show, installed_versions(RUNTIMES), try_engines),
        lambda: eyes(show, cache_folder()),
        lambda: optional_parts(show, look_for),
        lambda: folders(show),
    )
    diagnosis = Diagnosis()
    with ThreadPoolExecutor(max_workers=len(examinations)) as pool:
        for findings in pool.map(lambda examine: examine(), examinations):
            diagnosis.findings.extend(findings)
    write("\n".join(diagnosis.lines()))
    return diagnosis.exit_code()


def machine() -> list[Finding]:
    """The CPU, the GPU, and whether the cores save power."""
    host = describe_host()
    warning = "" if host["cores"] >= 2 else "one core: a performance needs two; expect gaps in the sound"
    governors = {
        path.read_text().strip() for path in Path("/sys/devices/system/cpu").glob("cpu*/cpufreq/scaling_governor")
    }
    findings = [
        Finding("machine", f"{host['cpu']}, {host['cores']} cores, Python {sys.version.split()[0]}", warning),
        Finding("gpu", host["gpu"] or "none (nvidia-smi lists none)"),
    ]
    if governors:
        findings.append(Finding("governor", ", ".join(sorted(governors)), governor_warning(governors)))
    return findings


def governor_warning(governors: set[str]) -> str:
    """What to do about cores that save power and so wake up late; "" for nothing."""
    if "powersave" not in governors:
        return ""
    return "powersave makes the latency uneven; before a show type: sudo cpupower frequency-set -g performance"


def cameras() -> list[Finding]:
    """The webcams that answer, and what `--camera auto` would take."""
    numbers = webcams()
    answers = probe_all(numbers, probe_webcam, PROBE_S)
    works = [number for number in numbers if answers[number].startswith("works")]
    findings = [Finding(f"camera {number}", answers[number]) for number in numbers]
    auto = f"webcam {works[0]}" if works else "the synthetic performer, as no webcam answers"
    return [*findings, Finding("camera auto", auto)]


def probe_webcam(number: int) -> str:
    """Open one webcam: "works: " and what it is, or what is wrong with it."""
    source = webcam(number, open_timeout_s=PROBE_S - 1.0)
    try:
        source.open(Context(show=Show(), metrics=Metrics()))
        return f"works: {source.description}"
    except UserError as error:
        return error.what
    finally:
        source.close()


def probe_all(numbers: Sequence[int], probe: Callable[[int], str], timeout_s: float) -> dict[int, str]:
    """Probe several devices at once, each for a limited time; a driver that hangs is not waited for."""
    pool = ThreadPoolExecutor(max_workers=max(1, len(numbers)))
    futures = {number: pool.submit(probe, number) for number in numbers}
    answers = {}
    for number, future in futures.items():
        try:
            answers[number] = future.result(timeout_s)
        except FutureTimeoutError:
            answers[number] = f"does not answer within {timeout_s:g} s"
    pool.shutdown(wait=False, cancel_futures=True)
    return answers


def sound(show: Show, load: Callable[[], Any], outputs_of: Callable[[], Sequence[Any]]) -> list[Finding]:
    """Audio outputs and inputs, sound servers, and what `--speaker auto` would take."""
    servers = sound_servers()
    findings = [Finding("sound server", ", ".join(servers) or "none runs")]
    instead = f"a file in {show.record}" if show.record else "nothing: the sound is neither heard nor kept"
    try:
        module = load()
    except UserError as error:
        warning = f"{error.fix}" if show.speaker in ("auto", "none") or show.speaker.startswith("file:") else ""
        fix = "" if warning else str(error)
        return [*findings, Finding("speaker auto", f"{instead}; {error.what}", warning, fix)]
    outputs = list(outputs_of())
    for output in outputs:
        mark = ", default" if output.default else ""
        text = f"{output.name} ({output.hostapi}, {output.channels} channels, {output.samplerate} Hz{mark})"
        findings.append(Finding(f"output {output.index}", text))
    for index, device in enumerate(module.query_devices()):
        if device["max_input_channels"] > 0:
            findings.append(Finding(f"input {index}", str(device["name"])))
    default_output = next((output for output in outputs if output.default), outputs[0] if outputs else None)
    return [
        *findings,
        Finding("speaker auto", default_output.name if default_output else f"{instead}, as there is no audio output"),
    ]


def pictures(show: Show, inputs_of: Callable[[], Sequence[Any]]) -> list[Finding]:
    """The input, the screen and the prior image of music-to-video, and which networks of the bundle take part."""
    try:
        learned = [name for name in ("drive", "painter") if has_network(name, show.bundle)]
    except EngineError:
        return []  # `try_engines` reports the bundle's fault
    moved = "a network decides what the sound moves" if "drive" in learned else "rules decide what the sound moves"
    painted = "a painter reimagines them" if "painter" in learned else "this bundle has no painter"
    findings = [Finding("pictures", f"{moved}; {painted}")]
    try:
        inputs = list(inputs_of())
    except UserError:
        inputs = []
    default_input = next((device for device in inputs if device.default), inputs[0] if inputs else None)
    alone = "what the show itself plays, as there is no audio input"
    findings.append(Finding("microphone auto", default_input.name if default_input else alone))
    screen = "a window" if has_display() else "nothing, as there is no display; --screen web shows it in a browser"
    findings.append(Finding("screen auto", screen))
    path = show.word("prior")
    try:
        height, width = load_prior(path).shape[:2]
    except UserError as error:
        return [*findings, Finding("prior image", error.what, fix=str(error))]
    return [*findings, Finding("prior image", f"{path or 'the shipped one'}, {width} x {height}")]


def sound_servers() -> list[str]:
    """The sound servers that run, by their usual names."""
    names = {process.info["name"] for process in psutil.process_iter(["name"])}
    return sorted({SOUND_SERVERS[name] for name in names if name in SOUND_SERVERS})


def installed_versions(names: Sequence[str]) -> dict[str, str]:
    """The installed ones of some distributions, with their versions; nothing is imported."""
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def runtimes(
    show: Show, versions: dict[str, str], attempt: Callable[[str, str], list[tuple[str, str, str]]]
) -> list[Finding]:
    """The runtimes and bundles, and whether the networks that a performance needs can be opened."""
    listing = ", ".join(f"{name} {version}" for name, version in versions.items())
    bundles = sorted(path.parent.name for path in BUNDLES.glob("*/manifest.json"))
    findings = [
        Finding("runtimes", listing or "none", fix="" if listing else "install torch: pip install torch==2.13.0"),
        Finding("bundles", ", ".join(bundles) or "none are shipped"),
    ]
    if not listing:
        return findings
    for network, works, problem in attempt(show.bundle, show.backend):
        findings.append(Finding(network, works or problem, fix=problem))
    return findings


def eyes(show: Show, folder: Path) -> list[Finding]:
    """The published networks that see people and instruments: which would look, files, source, hashes, licence.

    Args:
        show: its option `eyes` says which are wanted.
        folder: where they lie.
    """
    return [*_people_eyes(show, folder), *_instrument_eye(folder)]


def _people_eyes(show: Show, folder: Path) -> list[Finding]:
    missing = missing_networks(folder)
    wheel = f"{MEDIAPIPE.distribution} {MEDIAPIPE.version}"
    if missing:
        reason = next(iter(missing.values()))
        if len(missing) == len(MEDIAPIPE.networks):
            reason = f"the networks of {wheel}, licence {MEDIAPIPE.licence}, are not in {folder}"
        line = f"{reason}; to get them, {EYES_FIX}"
        if not set(missing) & {*BODY_NETWORKS, *HAND_NETWORKS}:
            found = f"networks of {_wheel_in_words(MEDIAPIPE)}, in {folder}"
            return [Finding("eyes", found, f"{line}; a show does not need it")]
        if show.eyes == "mediapipe":
            return [Finding("eyes", "none", fix=line)]
        return [Finding("eyes", "the bundle's own network", f"{line}; a show goes on without them")]
    use = "the bundle's own network, as --eyes says; here too: " if show.eyes == "bundle" else ""
    found = f"{use}{len(MEDIAPIPE.networks)} networks of {_wheel_in_words(MEDIAPIPE)}, in {folder}"
    return [Finding("eyes", found), *_files_of(MEDIAPIPE)]


def _instrument_eye(folder: Path) -> list[Finding]:
    missing = missing_networks(folder, EFFICIENTNET)
    if missing:
        line = f"{next(iter(missing.values()))}; to get it, {EYES_FIX}; a show goes on without it"
        return [Finding("instruments", "none is named", line)]
    found = f"named by {_wheel_in_words(EFFICIENTNET)}, in {folder}"
    return [Finding("instruments", found), *_files_of(EFFICIENTNET)]


def _wheel_in_words(wheel: PublishedWheel) -> str:
    return f"{wheel.distribution} {wheel.version}, licence {wheel.licence}, wheel sha256 {wheel.sha256}"


def _files_of(wheel: PublishedWheel) -> list[Finding]:
    return [
        Finding(f"eyes {one.name}", f"{one.words}; {one.source}, sha256 {one.sha256[:16]}…") for one in wheel.networks
    ]


def optional_parts(show: Show, look: Look) -> list[Finding]:
    """What a show can do without: ready, or missing and how to get it; to be mended only where the show wants it."""
    return [Finding(name, line, fix=line if wanted else "") for name, line, wanted in describe_parts(show, look)]


def try_engines(bundle: str, backend: str) -> list[tuple[str, str, str]]:
    """Open every network of a bundle, in another process: (network, where it runs or "", what is wrong or "")."""
    command = [sys.executable, "-c", TRY_ENGINES, bundle, backend]
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": str(CHECKOUT)}
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=ENGINE_S, env=environment, check=False, cwd=os.getcwd()
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return [("networks", "", f"the networks cannot be opened here: {error}")]
    results = [(str(a), str(b), str(c)) for a, b, c in (json.loads(line) for line in result.stdout.splitlines())]
    if result.returncode != 0 or not results:
        last = (result.stderr.strip().splitlines() or [f"status {result.returncode}"])[-1]
        results.append(("networks", "", f"the runtime failed: {last}"))
    return results


def folders(show: Show) -> list[Finding]:
    """Whether films can be written."""
    if not show.record:
        return []
    folder = Path(show.record).absolute()
    while not folder.exists():
        folder = folder.parent
    if os.access(folder, os.W_OK):
        free_gb = psutil.disk_usage(str(folder)).free / 1e9
        warning = "" if free_gb > 1.0 else "little room is left: a film takes about 20 MB a minute"
        return [Finding("films", f"in {show.record}, {free_gb:.0f} GB free", warning)]
    fix = f"{folder}: cannot be written; give --record a folder of your own, or none"
    return [Finding("films", f"{show.record} cannot be written", fix=fix)]
