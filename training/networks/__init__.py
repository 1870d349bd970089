"""One module per network: its loss and its training."""
