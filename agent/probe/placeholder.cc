namespace probe {}
