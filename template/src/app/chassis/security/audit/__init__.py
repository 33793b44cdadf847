"""Who did what to which object: written with it, and never changed."""
