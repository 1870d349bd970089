"""Screens: windows, a browser page, a film file."""
