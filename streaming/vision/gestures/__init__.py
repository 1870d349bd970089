"""Gestures: what a player does at a tick, in numbers that mean the same for everybody."""
