"""What was known at an instant, from marts to the rows that models see."""
