"""One module a runtime: torch, ONNX Runtime, TensorRT, and diffusers for latent diffusion."""
