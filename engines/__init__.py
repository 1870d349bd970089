"""How a network is run: one contract, several runtimes, found through `engines.registry`."""
