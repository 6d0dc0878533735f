"""The towers: networks that score the items of one stage."""
