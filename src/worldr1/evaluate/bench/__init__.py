"""Is a reward right? Rendered worlds with exact truth, broken in named ways, against any reward."""
