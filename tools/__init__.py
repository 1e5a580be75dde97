"""What is needed to make and to release the toolkit, and no part of it."""
