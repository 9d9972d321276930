namespace notify {}
