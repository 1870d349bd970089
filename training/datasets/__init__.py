"""What each network learns from."""
