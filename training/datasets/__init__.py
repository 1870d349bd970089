"""One module per data set: what each network learns from."""
