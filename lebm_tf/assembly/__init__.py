"""What families are assembled from: settings of networks, chains and learned
samplers, each with what builds it."""
