"""Labels on generated content (标识)."""
