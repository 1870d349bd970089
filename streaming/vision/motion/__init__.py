"""Motion features: what of the optical flow tells when something is struck, the same for every performer and camera."""
