"""The path of a campaign: state, steps, gates, checkpoints."""
