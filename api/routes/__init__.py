"""What can be asked, by subject; each route asks the function that the command line asks."""
