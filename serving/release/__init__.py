"""Releases on disk: every model of a cascade under one version number, and the manifest that makes it one."""
