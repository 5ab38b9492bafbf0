"""Who asks, when, and where it is kept: settings, records, REST, review pages, command line."""
