"""What is read from frames: motion features, and where the show's own screen is."""
