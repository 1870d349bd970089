"""Fetches the published networks that see people, and converts them from TFLite to ONNX: `python -m export.eyes`."""
