"""The panes: one function each, of a source at a cursor."""
