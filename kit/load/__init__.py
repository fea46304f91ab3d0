"""Many streams at once: what is asked for, what was seen, and Locust, which opens them."""
