"""Sounds beside the generated ones: music of sampled instruments, and recordings."""
