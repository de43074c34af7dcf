"""Refusals of training by users and rights holders (拒绝)."""
