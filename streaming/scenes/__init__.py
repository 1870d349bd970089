"""Scenes: what is made of a prior image once (layers, what is behind them, modes), and how it moves as springs."""
