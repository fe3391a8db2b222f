"""JSX in Python: ``transpile`` rewrites it line for line; ``compile`` makes it an ``ast`` with the user's positions."""
