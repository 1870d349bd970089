"""What is played: notes for given strikes, and whole pieces, from real scores where there are any."""
