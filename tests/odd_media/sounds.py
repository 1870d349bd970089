"""Odd sound files. What is heard is 1 s of a tone where nothing else is said."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from functools import partial

import numpy as np

from tests.odd_media.encoding import cut, encoded, flipped, float_wav, noisy, riff, tone, wav
from tests.odd_media.odd_file import OddFile

_MP3 = partial(encoded, "libmp3lame", "mp3")
_ADTS = partial(encoded, "aac", "adts")
_OPUS = partial(encoded, "libopus", "ogg", 48_000)


def _pcm(dtype: str, bits: int, tag: int = 1, offset: float = 0.0) -> bytes:
    peak = 2.0 ** (bits - 1) - 1 if tag == 1 else 1.0
    return riff((tone(32_000, 1.0) * peak + offset).astype(dtype).tobytes(), 1, 32_000, bits, tag)


def _pcm_24() -> bytes:
    values = (tone(32_000, 1.0).ravel() * 2**23).astype("<i4")
    return riff(values.view(np.uint8).reshape(-1, 4)[:, :3].tobytes(), 1, 32_000, 24)


def _extensible(channels: int, mask: int) -> bytes:
    data = np.rint(tone(32_000, 1.0, channels) * 32_767).astype("<i2").tobytes()
    form = struct.pack("<HHIIHH", 0xFFFE, channels, 32_000, 64_000 * channels, 2 * channels, 16)
    form += struct.pack("<HHI", 22, 16, mask) + b"\x01\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _plain(name: str, make: Callable[[], bytes], low: float | None = 1.0, high: float | None = None) -> OddFile:
    return OddFile(name, "sound", make, low, high)


def _lost(name: str, make: Callable[[], bytes], low: float, high: float) -> OddFile:
    return OddFile(name, "sound", make, low, high, damaged=True)


SOUNDS = (
    *(_plain(f"channels-{n}.wav", partial(wav, n)) for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 24, 32, 64)),
    *(_plain(f"channels-{n}.wav", partial(wav, n, 32_000, 0.1), None) for n in (0, 65, 128, 255, 1_024)),
    *(_plain(f"rate-{rate}.wav", partial(wav, 1, rate), 0.9, 1.1) for rate in (1_000, 8_000, 11_025, 22_050)),
    *(
        _plain(f"rate-{rate}.wav", partial(wav, 1, rate), 0.9, 1.1)
        for rate in (44_100, 48_000, 96_000, 192_000, 384_000)
    ),
    _plain("rate-0.wav", lambda: riff(bytes(2_000), 1, 0, 16), None),
    _plain("rate-1.wav", lambda: riff(bytes(8), 1, 1, 16), None),
    _plain("rate-4-billion.wav", lambda: riff(bytes(2_000), 1, 0xFFFFFFFF, 16), None),
    _plain("u8.wav", lambda: _pcm("u1", 8, offset=128.0)),
    _plain("s24.wav", _pcm_24),
    _plain("s32.wav", lambda: _pcm("<i4", 32)),
    _plain("f32.wav", lambda: _pcm("<f4", 32, 3)),
    _plain("f64.wav", lambda: _pcm("<f8", 64, 3)),
    _plain("nan.wav", lambda: float_wav(np.nan)),
    _plain("infinite.wav", lambda: float_wav(np.inf)),
    _plain("absurd.wav", lambda: float_wav(3e38)),
    _plain("absurd-64.wav", lambda: float_wav(1e300, 64)),
    _plain("loud.wav", lambda: float_wav(50.0)),
    *(_plain(f"{codec}.wav", partial(encoded, codec, "wav"), 0.9, 1.2) for codec in ("pcm_alaw", "pcm_mulaw")),
    *(_plain(f"{codec}.wav", partial(encoded, codec, "wav"), 0.9, 1.2) for codec in ("adpcm_ms", "adpcm_ima_wav")),
    _plain("extensible-mask-0.wav", lambda: _extensible(6, 0)),
    _plain("extensible-mask-all.wav", lambda: _extensible(6, 0xFFFFFFFF)),
    _plain("extensible-8.wav", lambda: _extensible(8, 0x63F)),
    _plain("size-0.wav", lambda: wav(data_size=0), 0.0, 1.0),
    _plain("size-4-billion.wav", lambda: wav(data_size=0xFFFFFFFF, riff_size=0xFFFFFFFF)),
    _plain("size-odd.wav", lambda: wav()[:-1], 0.99, 1.0),
    _plain("align-0.wav", lambda: wav(align=0, byte_rate=64_000)),
    _plain("align-7.wav", lambda: wav(align=7)),
    _plain("header-only.wav", lambda: wav()[:44], None),
    _plain("half-a-header.wav", lambda: wav()[:30], None),
    _plain("cut.wav", lambda: cut(wav(), 0.5), 0.45, 0.55),
    _plain("id3-before.wav", lambda: b"ID3\x03\0\0\0\0\0\x0aTIT2\0\0\0\0\0\0" + wav(), None),
    *(
        _plain(f"{codec}.mka", partial(encoded, codec, "matroska"), 0.9, 1.2)
        for codec in ("wavpack", "tta", "alac", "pcm_f32le")
    ),
    *(
        _plain(f"{codec}.mka", partial(encoded, codec, "matroska"), 0.9, 1.2)
        for codec in ("ac3", "eac3", "mp2", "pcm_s16le")
    ),
    _plain("opus-8.mka", partial(encoded, "libopus", "matroska", 48_000, "7.1"), 0.9, 1.2),
    _plain("flac-8.flac", partial(encoded, "flac", "flac", 44_100, "7.1")),
    _plain("aac-8.m4a", partial(encoded, "aac", "ipod", 44_100, "7.1"), 0.9, 1.2),
    _plain("pcm-planar.au", partial(encoded, "pcm_s16be", "au")),
    *(_plain(f"pcm.{container}", partial(encoded, "pcm_s16be", container)) for container in ("aiff", "caf")),
    _plain("pcm.w64", partial(encoded, "pcm_s16le", "w64")),
    _plain("voice.voc", partial(encoded, "pcm_u8", "voc", 11_025, "mono"), 0.9, 1.1),
    _plain("opus.ogg", partial(encoded, "libopus", "ogg", 48_000), 0.9, 1.1),
    _plain("aac.m4a", partial(encoded, "aac", "ipod"), 0.9, 1.2),
    _plain("aac.ts", partial(encoded, "aac", "mpegts"), 0.9, 1.2),
    _plain("aac.flv", partial(encoded, "aac", "flv"), 0.9, 1.2),
    _plain("mp2.avi", partial(encoded, "mp2", "avi"), 0.9, 1.2),
    _plain("pcm.nut", partial(encoded, "pcm_s16le", "nut"), 0.9, 1.2),
    _plain("tone.mp3", _MP3, 0.9, 1.2),
    _plain("tone-8k.mp3", partial(encoded, "libmp3lame", "mp3", 8_000, "mono"), 0.9, 1.3),
    _lost("hole.mp3", lambda: noisy(_MP3(), 0.3, 0.5), 0.6, 1.2),
    _lost("bits.mp3", lambda: flipped(_MP3(), 40, 600), 0.5, 1.2),
    _plain("junk-before.mp3", lambda: bytes(3_000) + _MP3(), 0.9, 1.2),
    _plain("cut.mp3", lambda: cut(_MP3(), 0.5), 0.4, 0.7),
    _lost("rates-joined.mp3", lambda: _MP3() + encoded("libmp3lame", "mp3", 22_050, "mono"), 1.6, 2.4),
    _lost("layouts-joined.mp3", lambda: _MP3() + encoded("libmp3lame", "mp3", 44_100, "mono"), 1.6, 2.4),
    _plain("rates-joined.aac", lambda: _ADTS() + encoded("aac", "adts", 22_050, "mono") + _ADTS(), 2.6, 3.6),
    _plain("six-joined.aac", lambda: _ADTS() + encoded("aac", "adts", 48_000, "5.1"), 1.8, 2.4),
    _lost("layouts-chained.ogg", lambda: _OPUS() + encoded("libopus", "ogg", 48_000, "mono"), 0.9, 2.4),
    _lost("hole.aac", lambda: noisy(_ADTS(), 0.3, 0.6), 0.4, 1.2),
    _lost("bits.flac", lambda: flipped(encoded("flac", "flac"), 40, 5_000), 0.05, 1.1),
    _lost("cut.flac", lambda: cut(encoded("flac", "flac"), 0.6), 0.3, 0.8),
    _plain("cut.m4a", lambda: cut(encoded("aac", "ipod"), 0.6), None),
    _plain("cut-header.ogg", lambda: cut(_OPUS(), 0.01), None),
    _plain("bits.ogg", lambda: flipped(_OPUS(), 20, 400), None),
    _plain("hole.ogg", lambda: noisy(_OPUS(), 0.8, 0.9), 0.0, 1.2),
    _plain("nothing.wav", lambda: b"", None),
    _plain("zeros.mp3", lambda: bytes(20_000), None),
    _plain("random.wav", lambda: random.Random(5).randbytes(20_000), None),
    _plain("text.mp3", lambda: b"this is no sound\n" * 500, None),
    _plain("page.wav", lambda: b"<!doctype html><html><body>404</body></html>", None),
    _plain("list.m3u8", lambda: b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n", None),
    _plain("concat.ffconcat", lambda: b"ffconcat version 1.0\nfile '/etc/passwd'\n", None),
    _plain("zip.wav", lambda: b"PK\x03\x04" + bytes(2_000), None),
)
