"""Each network once for each side: in tensorem and in PyTorch; by hand it is in `handwritten`."""
