"""Parsed requests on the disk, which later runs map into memory."""
