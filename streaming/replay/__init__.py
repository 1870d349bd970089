"""Performs a take again."""
