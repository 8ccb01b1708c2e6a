"""What is doubtful about a question set: each check looks for one fault and says what to do."""
