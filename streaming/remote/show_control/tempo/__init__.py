"""A tempo that several programs share: Ableton Link, and MIDI clock."""
