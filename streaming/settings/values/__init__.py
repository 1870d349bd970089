"""Readers of settings whose value has parts of its own: opening hours, a patch of lights, a limit of takes."""
