"""Scores of the music made for films of real players, beside untrained rules and controls that search as much."""
