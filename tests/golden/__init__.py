"""Files that the tests compare with, and what writes them: ``python -m tests.golden.write``."""
