"""Films: pictures and sound in one MP4."""
