"""One test module for each thing that KFP's backend lacks or gets wrong, by its G number; see README.md."""
