"""Sweeps: many executions that differ in chosen values, side by side in one file."""
