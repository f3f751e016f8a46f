"""Terms for any footage that need no learned model: sparse matches between frames of a stream."""
