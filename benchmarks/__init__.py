"""Studies that show what the product's methods do, and what they cost."""
