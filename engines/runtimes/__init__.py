"""One module for each runtime: torch, ONNX Runtime, TensorRT, and diffusers for latent diffusion."""
