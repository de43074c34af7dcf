"""Companion services (拟人化互动服务)."""
