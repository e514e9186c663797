"""What works on the checkout itself: setting it up. Runs before anything is installed."""
