"""The stages: each is one process of the show, `setup / step / close`, with no socket and no clock of its own."""
