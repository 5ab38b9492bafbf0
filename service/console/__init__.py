"""The review pages: what people look at and decide on. Links and forms work without JavaScript."""
