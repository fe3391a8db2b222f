"""JSX in Python: ``transpile`` rewrites it line for line; ``compile`` makes it an ``ast`` with the user's positions."""

from .compile import cell_filename, parse, remap, remember
from .transpile import FRAGMENT, RUNTIME, Segment, Transpiled, transpile

__all__ = [
    "FRAGMENT",
    "RUNTIME",
    "Segment",
    "Transpiled",
    "cell_filename",
    "parse",
    "remap",
    "remember",
    "transpile",
]
