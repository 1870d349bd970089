"""Optical flow between two frames: by a published network, NVIDIA's hardware or OpenCV."""
