"""Desks and patches: OSC, MIDI, tempo, timecode, lights, and the console's page."""

from __future__ import annotations

from streaming.settings.option_rows.option import OFF, Option
from streaming.settings.setting import PATCHING

SHORTEST_TOKEN = 12

PATCHING_OPTIONS = (
    Option(
        name="osc",
        group=PATCHING,
        metavar="[HOST:]PORT",
        kind="place",
        words="the UDP port at which OSC programs set the controls and hear what is played",
        range="a port, HOST:PORT (beyond this machine with --allow-remote), or off",
        none=OFF,
    ),
    Option(
        name="midi",
        group=PATCHING,
        metavar="PORT",
        words="the MIDI port whose knobs turn the controls, and to which what is played goes as notes",
        range="a part of the port's name, virtual for ports of the show's own, or off",
        none=OFF,
        unset=OFF,
        example="virtual",
    ),
    Option(
        name="midi-clock",
        group=PATCHING,
        kind="flag",
        words="send MIDI clock, 24 pulses a beat, at the tempo of what is heard or of the control tempo",
    ),
    Option(
        name="link",
        group=PATCHING,
        kind="flag",
        words="join Ableton Link: its tempo is that of the show, and a tempo that a hand sets is its",
    ),
    Option(
        name="timecode",
        group=PATCHING,
        metavar="SOURCE",
        words="the timecode at which cues go by themselves: by MIDI, or by sound on an input",
        range="mtc, ltc:DEVICE, ltc:DEVICE#CHANNEL, ltc:file:PATH, or off",
        none=OFF,
        unset=OFF,
        example="ltc:auto",
    ),
    Option(
        name="dmx-in",
        group=PATCHING,
        metavar="PROTOCOL:UNIVERSE[@HOST]",
        words="the light desk whose faders set the controls that --dmx-patch names",
        range="artnet:0, sacn:1, @HOST for an address of this machine (beyond it with --allow-remote), or off",
        none=OFF,
        unset=OFF,
        example="artnet:0",
    ),
    Option(
        name="dmx-out",
        group=PATCHING,
        metavar="PROTOCOL:UNIVERSE[@HOST]",
        words="where level, onset, pitch and the picture's colours go as light",
        range="artnet:0@HOST, sacn:1@HOST, sacn:1@multicast, or off",
        none=OFF,
        unset=OFF,
        example="sacn:1@multicast",
    ),
    Option(
        name="dmx-patch",
        group=PATCHING,
        metavar="NAME=CHANNEL[/16]",
        kind="patch",
        words="the channel of a control (in), or of level, onset, pitch, red, green or blue (out); /16 takes two "
        "channels; may be given several times",
        unset="none",
        example='["volume=1", "motion=2/16", "level=1"]',
    ),
    Option(
        name="console",
        group=PATCHING,
        metavar="[HOST:]PORT",
        kind="place",
        words="where the console is: a page from which a browser shows and plays the show",
        range="a port, HOST:PORT (beyond this machine with --allow-remote and a token), or off",
        none=OFF,
    ),
    Option(
        name="console-token",
        group=PATCHING,
        metavar="TOKEN",
        words="the password of the console's page",
        range=f"at least {SHORTEST_TOKEN} letters and digits",
        unset="none on this machine alone, else a new one for each show, which it prints",
        example="a-word-that-nobody-guesses",
    ),
    Option(
        name="console-cert",
        group=PATCHING,
        metavar="FILE",
        words="the certificate with which the console's page is encrypted (PEM, with those of its issuers)",
        unset="the page is not encrypted",
        example="console-cert.pem",
    ),
    Option(
        name="console-key",
        group=PATCHING,
        metavar="FILE",
        words="the private key of that certificate (PEM, without a password)",
        unset="it is in the certificate's file",
        example="console-key.pem",
    ),
)
