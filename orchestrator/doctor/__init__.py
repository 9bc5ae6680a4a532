"""What is wrong with an installation, in words: `amc doctor`. It looks and tries, and changes nothing."""
