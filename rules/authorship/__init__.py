"""Evidence of authorship (独创性证据)."""
