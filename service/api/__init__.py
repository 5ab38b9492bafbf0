"""The REST contract: routes parse, call, return."""
