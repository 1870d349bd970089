"""Published networks into a bundle: codecs, flow, diffusion, front ends."""
