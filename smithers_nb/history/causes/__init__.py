"""Answers to "why": chains of sentences from an effect back to its root, over the records alone."""
