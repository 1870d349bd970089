"""The web console: a page from which a browser shows and plays the show."""
