"""Exercises that mark themselves: cells with a planted bug, and checks of what a learner makes of them."""
