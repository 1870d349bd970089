"""Takes published networks over into a bundle: codecs, flow, diffusion, front ends."""
