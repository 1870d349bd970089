"""MIDI ports, by python-rtmidi."""
