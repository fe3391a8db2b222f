"""The read model: whatever looks at a run is a pure function of a ``Source`` at a ``Cursor``. README.md has a map."""
