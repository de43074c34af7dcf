"""Lawful sources of training data (训练数据)."""
