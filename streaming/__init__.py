"""Moves data, in time: messages, topics, bus, clock, stages, supervisor. No ML framework is imported here."""
