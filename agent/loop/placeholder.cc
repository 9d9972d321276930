namespace loop {}
