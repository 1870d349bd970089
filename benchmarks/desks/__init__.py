"""What desks and browsers cost a show, and how soon their changes are heard."""
