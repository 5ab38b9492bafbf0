"""Do the rules find what they should, and leave in peace what they should? Ads written by hand tell."""
