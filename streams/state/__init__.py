"""State agents: issues and findings on Faust."""
