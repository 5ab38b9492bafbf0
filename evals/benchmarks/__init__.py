"""How fast is it? Commands that measure, each beside a baseline of the same run."""
