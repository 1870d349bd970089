"""A show that nobody attends to: pages for programs that watch over it, and what it does when nobody is there."""
