"""Benchmarks: whole shows, single networks, codecs. The topmost package: nothing imports it."""
