"""The networks of the reverse loop: what hears, moves and paints."""
