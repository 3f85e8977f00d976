"""Other ways through a load: rejects again, a file beside the store, a plan for later."""
