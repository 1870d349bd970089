"""A show that stands for weeks: opening hours, and restarts of the whole."""
