"""DMX over a network, in and out: Art-Net and streaming ACN."""
