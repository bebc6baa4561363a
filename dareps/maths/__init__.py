"""What several families compute with: keyed noise, normalisation, gradient reversal, kernels, moments."""
