"""Measures: onsets, pitch, spectra, Opus as a control, bootstrap intervals."""
