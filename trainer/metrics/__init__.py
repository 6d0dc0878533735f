"""Metrics inside logged lists."""
