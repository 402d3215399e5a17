"""Tools of the design text beside the packer: what a token is worth, metrics of an answer, experiments, prompts."""
