"""The rules that copy is held to: pure functions over a placement's texts, one file a family."""
