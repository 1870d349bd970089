"""Sampled instruments: notes played by the recordings of a General MIDI soundfont, in a room."""
