"""Measures: onsets, pitch, spectra, bootstrap intervals, and Opus as a control."""
