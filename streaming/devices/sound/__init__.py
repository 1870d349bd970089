"""Sound: outputs and inputs through PortAudio and files."""
