"""From motion to codes: the coordinated latent space and the translator, with the attention both use."""
