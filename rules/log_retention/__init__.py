"""How long logs are kept (日志留存)."""
