"""Building blocks of families: configurations of networks, chains and learned
samplers, and the functions that build them."""
