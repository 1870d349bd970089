"""Still images: the prior image, read from a file."""
