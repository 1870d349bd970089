"""The groups of the reverse loop's scores, each from moved stills to figures beside their controls."""
