"""What is computed: architectures with explicit streaming state, weights and bundles."""
