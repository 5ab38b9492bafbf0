"""From one product photo to every creative: read, find the product, compose, typeset, encode, and show."""
