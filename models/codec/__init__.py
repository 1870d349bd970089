"""Codecs: sound to tokens and back, a tick at a time."""
