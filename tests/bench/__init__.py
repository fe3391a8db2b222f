"""Budgets as ratios: both sides measured in one run and interleaved. ``make bench`` prints the table."""
