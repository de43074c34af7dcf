"""Filing and registration (备案与登记)."""
