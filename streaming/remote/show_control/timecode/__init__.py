"""Timecode of other machines, by sound (LTC) and by MIDI (MTC), and the cues that follow it."""
