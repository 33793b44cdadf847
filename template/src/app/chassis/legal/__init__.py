"""What people are told: the privacy notice, the terms and the note on cookies, as they stand in legal/."""
