"""Protection of minors (未成年人保护)."""
