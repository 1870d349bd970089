"""Whatever bytes come, a reader gives a value or its one kind of error, never another."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.bundles import InvalidBundleError, read_manifest
from streaming.devices.stills.metadata import strip_metadata
from streaming.devices.stills.prior import load_prior
from streaming.errors import UserError, WireError
from streaming.remote.console.access import AccessRules
from streaming.schema.messages import SCHEMA_VERSION, TOPICS
from streaming.settings.toml_file import read_config
from streaming.transport import wire
from tests.odd_media.images import saved

FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats() | st.none() | st.booleans()
VALUES = st.recursive(
    NUMBERS | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ARRAYS = st.tuples(
    st.sampled_from([*wire.DTYPES, "object", "float16"]), st.lists(st.integers(-1, 40), max_size=5), st.integers(-1, 4)
).map(list)


@FEW
@given(st.sampled_from(sorted(TOPICS)), st.lists(st.binary(max_size=64), max_size=12))
def test_any_frames_are_a_message_or_refused(topic: str, frames: list[bytes]) -> None:
    with pytest.raises(WireError):
        wire.unpack(frames, TOPICS[topic])


@FEW
@given(st.sampled_from(sorted(TOPICS)), st.data(), st.lists(st.binary(max_size=64), max_size=3))
def test_any_header_is_a_message_or_refused(topic: str, data: st.DataObject, buffers: list[bytes]) -> None:
    names = TOPICS[topic].message.__struct_fields__
    body = {name: data.draw(VALUES | ARRAYS) for name in names}
    try:
        header = msgspec.msgpack.encode([SCHEMA_VERSION, body])
    except (OverflowError, ValueError):
        return
    with contextlib.suppress(WireError):
        wire.unpack([topic.encode(), header, *buffers], TOPICS[topic])


@FEW
@given(st.binary(max_size=200) | VALUES.map(lambda value: msgspec.msgpack.encode([SCHEMA_VERSION, str(value)])))
def test_any_control_is_refused_or_read(data: bytes) -> None:
    for read in (wire.unpack_control, wire.unpack_report):
        with contextlib.suppress(WireError):
            read(data)


@FEW
@given(VALUES.map(lambda value: json.dumps(value, default=str)) | st.text(max_size=200))
def test_any_manifest_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder: Path = tmp_path_factory.mktemp("bundle")
    (folder / "manifest.json").write_text(text, encoding="utf-8", errors="replace")
    with contextlib.suppress(InvalidBundleError):
        read_manifest(folder)


@FEW
@given(st.dictionaries(st.text(max_size=12), VALUES, max_size=3))
def test_any_entries_of_networks_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, networks: dict[str, Any]
) -> None:
    folder: Path = tmp_path_factory.mktemp("bundle")
    (folder / "manifest.json").write_text(json.dumps({"schema": 1, "networks": networks}, default=str))
    with contextlib.suppress(InvalidBundleError):
        read_manifest(folder)


@FEW
@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode(errors="replace")))
def test_any_settings_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path: Path = tmp_path_factory.mktemp("settings") / "show.toml"
    path.write_bytes(data)
    with contextlib.suppress(UserError):
        read_config(str(path))


@FEW
@given(
    st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "BMP"]), st.lists(st.tuples(st.integers(0), st.integers(0, 255)))
)
def test_any_damaged_image_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, form: str, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(saved(form))
    for place, value in changes:
        data[place % len(data)] = value
    path: Path = tmp_path_factory.mktemp("images") / "image"
    path.write_bytes(data)
    strip_metadata(bytes(data))
    with contextlib.suppress(UserError):
        load_prior(str(path))


@FEW
@given(
    st.dictionaries(st.sampled_from(["host", "origin", "cookie", "authorization", "sec-fetch-site"]), st.text()),
    st.integers(0, 3),
    st.text(),
)
def test_any_request_without_the_token_is_refused(fields: dict[str, str], hosts: int, query: str) -> None:
    refusal = AccessRules("127.0.0.1", 8420, "a token that nobody has").refusal(fields, hosts, query)
    assert refusal is not None
    assert refusal[0] in (401, 403)
