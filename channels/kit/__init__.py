"""Code that channels share: reading and calling vendors, fitting messages, pacing, progress."""
