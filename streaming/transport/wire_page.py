"""Writes docs/wire.md from the tables: `python -m streaming.transport.wire_page [--check]`."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Sequence
from pathlib import Path

import msgspec

from streaming.schema import messages
from streaming.schema.messages import TOPICS
from streaming.schema.processes import PROCESSES, Process
from streaming.schema.topics import Layout, Policy
from streaming.system.generated_pages import write_or_check
from streaming.transport import wire

PAGE = Path(__file__).resolve().parents[2] / "docs" / "wire.md"

HEAD = """\
# The wire

<!-- Made by `python -m streaming.transport.wire_page` from the tables; change those, not this page. -->

Each stage is a process; each arrow between two stages is a ZeroMQ PUB/SUB topic that is named for the stage which
publishes it. Local links are `ipc://<run dir>/<stage>.sock`, links between machines `tcp://` with CURVE keys and an
allow-list. Stages report to the supervisor, and hear from it, over one control link (ROUTER/DEALER,
`ipc://<run dir>/control.sock`).

## A message

| frame | what |
|---|---|
| 0 | the topic's name, UTF-8; readers subscribe to it |
| 1 | msgpack `[version, message]`, at present version {version}; the message is a map of the fields below |
| 2 … | raw buffers of the arrays, little-endian, in C order |

In the header an array is `[dtype, shape, buffer]`: one of {dtypes};
at most {dims} sides; the number of its buffer, counted from 0 at frame 2. Each buffer belongs to exactly one array.
A field whose default is `None` may be null; it has no buffer then.
No pickle anywhere. Fields are only ever added: a reader ignores those it does not know and takes the default for those
that are missing.

A message that cannot be accepted is dropped and counted as `bad.<topic>.<reason>`, and never stops a stage:

| reason | what |
|---|---|
{reasons}

A single frame beyond the topic's limit cuts the link before it is read; the reader makes it anew and counts
`bad.<topic>.link`.
"""

REASONS = {
    "truncated": "fewer frames or bytes than announced",
    "oversized": "more bytes than the topic's limit",
    "version": "a header of another version",
    "malformed": "not msgpack, a field missing or of a wrong type, a buffer unused or used twice, a pickle",
    "topic": "frame 0 is not this topic's name",
    "dtype": "an element type that may not travel, or not the field's",
    "shape": "sides that do not fit the buffer, or not the field's",
    "range": "a number or an element beyond the field's range, or not finite",
}

POLICIES = {
    Policy.LATEST: "latest: the newest, or so many at once, win; what is superseded is counted as `drops.<topic>`",
    Policy.ORDERED: "ordered: in order and bounded; a gap in `seq` is visible and counted as `drops.<topic>`",
    Policy.STATE: "state: published when it changes; the newest is sent again to every reader that connects",
}


def render() -> str:
    """The whole page, Markdown."""
    reasons = "\n".join(f"| `{reason}` | {REASONS[reason]} |" for reason in wire.REASONS)
    dtypes = ", ".join(f"`{name}`" for name in wire.DTYPES)
    head = HEAD.format(version=messages.SCHEMA_VERSION, dtypes=dtypes, dims=wire.MAX_DIMS, reasons=reasons)
    parts = [head, _topics(), _processes(), _messages(), _control()]
    return "\n".join(parts)


def _topics() -> str:
    lines = [
        "## Topics\n",
        "| topic | message | rate, Hz | policy | largest message, bytes | queue | at once |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{t.name}` | [{t.message.__name__}](#{t.message.__name__.lower()}) | {t.rate_hz:g} | {t.policy} "
        f"| {t.max_bytes:,} | {t.queue} | {t.room} |"
        for t in TOPICS.values()
    ]
    lines += ["", *(f"* {text}" for text in POLICIES.values()), ""]
    return "\n".join(lines)


def _processes() -> str:
    lines = [
        "## Processes\n",
        "| process | module | reads | wakes on | publishes | restarts | when it is lost |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{p.name}` | `{p.module}` | {_names(p.inputs)} | {_names(p.wakes_on)} "
        f"| {_names((p.output,) if p.output else ())} | {p.restarts} in {p.restart_window_s:g} s "
        f"| {ended_by(p)} |"
        for p in PROCESSES.values()
    ]
    return "\n".join([*lines, ""])


def ended_by(process: Process) -> str:
    """What the loss of a process means."""
    if not process.essential_to:
        return "the show goes on without it"
    if process.senses:
        return "before the performance the show ends, in it the show goes on as if nobody played"
    if set(process.directions) <= set(process.essential_to):
        return "the show ends"
    return f"the show ends with `--direction {process.essential_to[0]}`, else it goes on without it"


def _messages() -> str:
    parts = [f"## Messages\n\n{inspect.getdoc(messages)}\n"]
    parts.append(_struct(messages.Message))
    parts += [_struct(topic.message) for topic in TOPICS.values()]
    return "\n".join(parts)


def _control() -> str:
    text = "One frame: msgpack `[version, message]`; the field `type` tells the kind."
    parts = [f"## Control\n\n{text} At most {wire.MAX_CONTROL_BYTES:,} bytes.\n"]
    for union in (messages.Report, messages.Control):
        parts += [_struct(kind) for kind in typing.get_args(union)]
    return "\n".join(parts)


def _struct(kind: type[msgspec.Struct]) -> str:
    """A message's heading, what its docstring says, and a table of its own fields."""
    lines = [f"### {kind.__name__}\n", inspect.getdoc(kind) or "", ""]
    topic = next((topic for topic in TOPICS.values() if topic.message is kind), None)
    layouts = topic.layouts if topic else {}
    inherited = set(messages.Message.__struct_fields__) if kind is not messages.Message else set()
    rows = []
    for field in msgspec.structs.fields(kind):
        if field.name in inherited and issubclass(kind, messages.Message):
            continue
        layout = layouts.get(field.name)
        limits = topic.limits.get(field.name) if topic else None
        text = _layout(layout) if layout else f"`{_type(field.type)}`{_bounds(*limits) if limits else ''}"
        rows.append(f"| `{field.name}` | {text} | {_default(field)} |")
    if rows:
        lines += ["| field | type | default |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _layout(layout: Layout | tuple[Layout, ...]) -> str:
    if isinstance(layout, tuple):
        return " or ".join(_layout(one) for one in layout)
    sides = ", ".join("any" if side is None else str(side) for side in layout.shape)
    bounds = "" if layout.low is None or layout.high is None else _bounds(layout.low, layout.high)
    return f"`{layout.dtype}` [{sides}]{bounds}"


def _bounds(low: float, high: float) -> str:
    return f", {low:g}..{high:g}"


def _type(kind: object) -> str:
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is not None:
        return str(kind).replace("typing.", "").replace("|", "\\|")
    return kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    if field.default is not msgspec.NODEFAULT:
        return f"`{field.default!r}`"
    return "empty"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or with `--check` only compare it; returns the exit status."""
    return write_or_check("streaming.transport.wire_page", {PAGE: render}, arguments)


if __name__ == "__main__":
    sys.exit(main())
