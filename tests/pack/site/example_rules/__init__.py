"""An installed rule pack with one rule."""
