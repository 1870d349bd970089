"""Scores of a bundle, each beside its controls, and the pages that show them."""
