"""One file a data set, with `read(split, data_dir) -> Dataset`."""
