"""Scores of a bundle beside controls, and the pages that show them."""
