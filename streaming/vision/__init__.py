"""What is read from frames: motion features, and the show's own screen."""
