"""Footage or synthetic performers to dataset to weights to scores; never imported while the show runs."""
