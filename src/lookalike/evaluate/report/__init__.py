"""Reports that a person opens from disk: one HTML file each, pictures and plots inside, no script, no other host."""

from __future__ import annotations

from .compared import write_comparison
from .single import write_report

__all__ = ["write_comparison", "write_report"]
