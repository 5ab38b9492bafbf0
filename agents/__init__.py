"""The five agents, each a prompt in Markdown and one function, and the rehearsal model."""
