"""The nodes of a plan, and the components that make them."""
