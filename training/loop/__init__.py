"""The training loop: steps, checkpoints, devices, worker pools."""
