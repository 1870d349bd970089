"""Compares the synthetic world with the real one: how much moves, how fast, and when it stops against the sound."""
