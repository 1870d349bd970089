"""What it costs to be earlier: onsets against the look-ahead that the translator is asked for."""
