"""What a show is told: settings, live controls, their validation, and the command line."""
