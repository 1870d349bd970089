"""A synthetic performer: a rendered, physically plausible player whose motion and music belong together."""
