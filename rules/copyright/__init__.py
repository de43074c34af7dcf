"""Outputs that resemble protected works (侵权风险)."""
