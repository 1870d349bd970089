"""Cameras: webcams, network cameras, video files, the synthetic performer."""
