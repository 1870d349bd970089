"""From a checkpoint to deployable engines, with parity against torch."""
