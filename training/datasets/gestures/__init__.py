"""Data sets of gestures and the music that answers them."""
