"""What changes to stored bars look like: pure judgements on a file's bars beside stored ones."""
