"""`worldr1 pretrain tiny`: the stages that make the packaged weights, each a file with one entry function."""
