"""Making pictures: warping the prior image, the painter beside it, and shedding load."""
