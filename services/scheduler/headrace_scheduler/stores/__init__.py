"""The artifact stores of a platform: which there are, whose they are, and one store made of all of them."""
