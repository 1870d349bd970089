"""Makes a scene of a still: what is cut out, its edges, what is behind it, and how it can move."""
