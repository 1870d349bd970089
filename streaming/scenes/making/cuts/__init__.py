"""Finds what may be cut out of a still as a thing: superpixels, saliency, merged regions, and the choice of them."""
