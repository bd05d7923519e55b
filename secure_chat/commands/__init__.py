"""What people can say to the server: one row and one short function for each command, a file a family."""
