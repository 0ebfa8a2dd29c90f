"""The commands, one file each: the options of a command, and what it does with them."""
