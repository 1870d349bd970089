"""The machine: what it is, and what its operating system is asked for."""
