"""The training loop: run, checkpoints, device, worker pool."""
