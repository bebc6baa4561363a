"""Training loops of other frameworks, each through its own interface; these files run in the peers' environment."""
