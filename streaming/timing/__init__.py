"""Time: the clock, and when which tick is made."""
