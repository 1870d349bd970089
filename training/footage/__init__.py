"""From any video to a prepared data set."""
