"""The end of the sound's way as on a desk: stereo width and room, the fader, the limiter."""
