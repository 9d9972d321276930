namespace recover {}
