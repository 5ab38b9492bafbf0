"""The outside world: platforms, files, formats, prices. Knows nobody."""
