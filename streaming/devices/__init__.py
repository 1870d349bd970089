"""The edges: where cameras and audio devices are touched, and nowhere else."""
