"""What is true of a rendered clip: `build.build_record` makes its `Record`, `invariants.check_record` doubts it."""
