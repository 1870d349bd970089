"""One module a network: its loss and its training."""
