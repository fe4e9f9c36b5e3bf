raise RuntimeError("no database\nhere")
