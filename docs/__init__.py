"""The documentation, and the modules that make its pages."""
