"""What time alone does: conversations close, words are forgotten, customers are erased."""
